-- Time to PQL: from sign-up, of the accounts that qualified for the first time in the window.
create or replace view time_to_pql as
with durations as (
    select zone, unit, window_start, window_end, grouping, "group",
        if(signed_up_at is null, null, greatest(0, stood_at - signed_up_at)) as took
    from comings join groups using (fact) join accounts using (account_id)
    where type = 'qualified'
)
select
    '' as detail, zone, unit, window_start, window_end, grouping, "group",
    count(took) as count, mean_of(took) as mean,
    min(took) / 1000 as min, at_share(took, 0.5) as p50, at_share(took, 0.75) as p75, at_share(took, 0.9) as p90, at_share(took, 0.99) as p99,
    max(took) / 1000 as max,
    count(*) - count(took) as signup_unknown, null as mature_at
from durations
group by zone, unit, window_start, window_end, grouping, "group";
