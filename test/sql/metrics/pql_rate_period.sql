-- PQL rate by period: accounts with a known sign-up that qualified for the first time in the window, by accounts that signed up in it.
create or replace view pql_rate_period as
with both_sides as (
    select zone, unit, window_start, window_end, grouping, "group", 1 as qualified, 0 as signed_up
    from comings join groups using (fact) join accounts using (account_id)
    where type = 'qualified' and signed_up_at is not null
    union all
    select zone, unit, window_start, window_end, grouping, "group", 0, 1 from signups
)
select
    '' as detail, zone, unit, window_start, window_end, grouping, "group",
    sum(qualified) as numerator, sum(signed_up) as denominator, share(numerator, denominator) as rate, null as mature_at
from both_sides
group by zone, unit, window_start, window_end, grouping, "group";
