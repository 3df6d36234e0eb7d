-- Each account whose sign-up is known, in each of its windows and groups.
create or replace table signups as
select a.*, g.grouping, g."group", w.zone, w.unit, w.window_start, w.window_end
from accounts a
join groups g on g.fact = a.signup_fact
join windows w on a.signed_up_at >= w.window_start and a.signed_up_at < w.window_end;
