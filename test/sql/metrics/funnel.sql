-- Funnel: of the accounts that signed up in the window, those that have done a step, and how long that took from sign-up.
create or replace view funnel as
with
    cohorts as (
        select zone, unit, window_start, window_end, grouping, "group", count(*) as denominator from signups group by all
    ),
    steps as (
        select distinct step as detail from lifecycle where type = 'step_done'
    ),
    done as (
        select account_id, step, min(occurred_at) as done_at from facts where type = 'step_done' group by account_id, step
    ),
    durations as (
        select zone, unit, window_start, grouping, "group", step as detail, greatest(0, done_at - signed_up_at) as took
        from signups join done using (account_id)
    ),
    described as (
        select
            detail, zone, unit, window_start, window_end, grouping, "group", denominator,
            count(took) as count, mean_of(took) as mean,
            min(took) / 1000 as min, at_share(took, 0.5) as p50, at_share(took, 0.75) as p75, at_share(took, 0.9) as p90, at_share(took, 0.99) as p99,
            max(took) / 1000 as max
        from cohorts cross join steps left join durations using (zone, unit, window_start, grouping, "group", detail)
        group by detail, zone, unit, window_start, window_end, grouping, "group", denominator
    )
select
    described.*, count as numerator,
    share(numerator, denominator) as rate, share_low(numerator, denominator) as low, share_high(numerator, denominator) as high,
    row_number() over sorted as position,
    coalesce(lag(count) over sorted, denominator) as previous, -- how many have done the step before
    window_end + restatement as mature_at
from described, settings
window sorted as (partition by zone, unit, window_start, grouping, "group" order by count desc, detail);
