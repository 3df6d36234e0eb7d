-- What sales has said in the window.
create or replace view sales as
select type as detail, zone, unit, window_start, window_end, grouping, "group", count(*) as count, null as mature_at
from facts
join groups using (fact)
join windows on occurred_at >= window_start and occurred_at < window_end
where type in ('sales_accepted', 'sales_rejected', 'meeting_booked', 'sales_won', 'sales_lost')
group by all;
