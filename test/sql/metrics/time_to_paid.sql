-- Time to paid: of the accounts that qualified in the window and have converted since, from the one to the other.
create or replace view time_to_paid as
with durations as (
    select *, converted_at - stood_at as took from qualifications where not held and converted_at is not null
)
select
    '' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(took) as count, mean_of(took) as mean,
    min(took) / 1000 as min, at_share(took, 0.5) as p50, at_share(took, 0.75) as p75, at_share(took, 0.9) as p90, at_share(took, 0.99) as p99,
    max(took) / 1000 as max,
    window_end + any_value(restatement) as mature_at
from durations, settings
group by zone, unit, window_start, window_end, grouping, "group";
