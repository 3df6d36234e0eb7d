-- Each coming of an account as a PQL, in each of its windows, with the first conversion behind it.
create or replace table comings as
select
    f.fact, f.account_id, f.type, f.stood_at, f.hold_out as held, w.zone, w.unit, w.window_start, w.window_end,
    (select min(c.stood_at) from facts c where c.account_id = f.account_id and c.fact > f.fact and c.type = 'converted') as converted_at
from facts f
join windows w on f.stood_at >= w.window_start and f.stood_at < w.window_end
where f.comes;

-- The accounts that qualified in a window, each once: with its first coming there, in the groups of that.
create or replace table qualifications as
select first.*, g.grouping, g."group"
from (from comings qualify row_number() over (partition by account_id, zone, unit, window_start order by fact) = 1) first
join groups g using (fact);
