-- Time to PQL by cohort: from sign-up to the first time, of the accounts that signed up in the window and have qualified since.
create or replace view time_to_pql_cohort as
with durations as (
    select *, greatest(0, first_qualified_at - signed_up_at) as took from signups where first_qualified_at is not null
)
select
    '' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(took) as count, mean_of(took) as mean,
    min(took) / 1000 as min, at_share(took, 0.5) as p50, at_share(took, 0.75) as p75, at_share(took, 0.9) as p90, at_share(took, 0.99) as p99,
    max(took) / 1000 as max,
    window_end + any_value(restatement) as mature_at
from durations, settings
group by zone, unit, window_start, window_end, grouping, "group";
