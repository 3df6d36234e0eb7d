-- Hold-out: PQL to paid of treated accounts, against that of held-out ones. Windows without held-out accounts need no row.
create or replace view hold_out as
with followed as (
    select *, coalesce(converted_at - stood_at <= ms_of_days(days), false) as paid from qualifications, paid_days
)
select
    days || 'd' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(*) filter (not held and paid) as numerator,
    count(*) filter (not held) as denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    count(*) filter (held and paid) as control_numerator,
    count(*) filter (held) as control_denominator,
    share(control_numerator, control_denominator) as control_rate,
    rate / nullif(control_rate, 0) as lift,
    rate - control_rate as difference,
    difference_low(numerator, denominator, control_numerator, control_denominator) as difference_low,
    difference_high(numerator, denominator, control_numerator, control_denominator) as difference_high,
    window_end + ms_of_days(days) as mature_at
from followed
group by days, zone, unit, window_start, window_end, grouping, "group";
