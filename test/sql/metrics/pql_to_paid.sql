-- PQL to paid: of the accounts that qualified in the window, those that converted within N days of that.
create or replace view pql_to_paid as
select
    days || 'd' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(*) filter (converted_at - stood_at <= ms_of_days(days)) as numerator,
    count(*) as denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    window_end + ms_of_days(days) as mature_at
from qualifications, paid_days
where not held
group by days, zone, unit, window_start, window_end, grouping, "group";
