-- PQL to paid by cohort: of the accounts that signed up in the window, those that converted within the longest of paid_days of sign-up:
-- among those that had qualified by day N, and among the others.
create or replace view pql_to_paid_cohort as
with
    horizon as (select max(days) as horizon from paid_days),
    followed as (
        select
            *,
            coalesce(first_qualified_at - signed_up_at <= ms_of_days(days), false) as had,
            coalesce(first_converted_at - signed_up_at <= ms_of_days(horizon), false) as paid
        from signups, cohort_days, horizon
        where not held
    )
select
    days || 'd' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(*) filter (had and paid) as numerator,
    count(*) filter (had) as denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    count(*) filter (not had and paid) as control_numerator,
    count(*) filter (not had) as control_denominator,
    share(control_numerator, control_denominator) as control_rate,
    rate / nullif(control_rate, 0) as lift,
    rate - control_rate as difference,
    difference_low(numerator, denominator, control_numerator, control_denominator) as difference_low,
    difference_high(numerator, denominator, control_numerator, control_denominator) as difference_high,
    window_end + ms_of_days(any_value(horizon)) as mature_at
from followed
group by days, zone, unit, window_start, window_end, grouping, "group";
