-- Sales acceptance: of the leads that sales has answered in the window, those that it accepted.
create or replace view sales_acceptance as
select
    '' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(*) filter (type = 'sales_accepted') as numerator, count(*) as denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    null as mature_at
from facts
join groups using (fact)
join windows on occurred_at >= window_start and occurred_at < window_end
where type in ('sales_accepted', 'sales_rejected')
group by zone, unit, window_start, window_end, grouping, "group";
