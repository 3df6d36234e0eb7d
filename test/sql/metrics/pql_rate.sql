-- PQL rate by cohort: of the accounts that signed up in the window, those that qualified within N days.
create or replace view pql_rate as
select
    days || 'd' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(*) filter (first_qualified_at - signed_up_at <= ms_of_days(days)) as numerator,
    count(*) as denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    window_end + ms_of_days(days) as mature_at
from signups, cohort_days
group by days, zone, unit, window_start, window_end, grouping, "group";
