-- Activation rate: the accounts that signed up in the window, by the tenth in which their newest rate lies.
create or replace view activation_rate as
with
    tenths as (
        select unnest(range(11)) as tenth
    ),
    cohorts as (
        select
            zone, unit, window_start, window_end, grouping, "group", count(*) as denominator,
            list(least(10, floor(newest_rate * 10 + 1e-9))) as found -- 0.1 + 0.2 is 30 %, whatever it adds up to
        from signups
        group by all
    )
select
    (10 * tenth)::varchar as detail, zone, unit, window_start, window_end, grouping, "group",
    len(list_filter(found, lambda f: f = tenth)) as numerator, denominator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    window_end + restatement as mature_at
from cohorts, tenths, settings;
