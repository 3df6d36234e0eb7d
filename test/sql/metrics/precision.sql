-- Precision: of the accounts that qualified in the window, those that have converted since.
create or replace view "precision" as
select
    '' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(converted_at) as numerator, count(*) as denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    window_end + any_value(restatement) as mature_at
from qualifications, settings
where not held
group by zone, unit, window_start, window_end, grouping, "group";
