-- PQLs: who came and left in each window, and how many there are as it begins and ends.
create or replace view pqls as
with
    moves as (
        select f.stood_at, g.grouping, g."group", 'in_' || f.type as why
        from facts f join groups g using (fact)
        where f.comes
        union all -- whoever leaves leaves the groups in which the account was as of the fact before
        select f.stood_at, g.grouping, g."group", case
            when f.type = 'converted' then 'out_converted'
            when f.reason in ('inactive', 'trial_ended', 'step_undone', 'excluded', 'tier_changed', 'definition_changed') then 'out_' || f.reason
            else 'out_other'
        end
        from facts f join groups g on g.fact = f.fact - 1
        where f.goes
        union all -- a PQL that stays one is in other groups than before: those that are new
        select f.stood_at, g.grouping, g."group", 'in_segment_changed'
        from facts f join groups g using (fact)
        where f.was_pql and f.is_pql and not exists (from groups b where b.fact = f.fact - 1 and b.grouping = g.grouping and b.name = g.name)
        union all -- and those that it has left
        select f.stood_at, b.grouping, b."group", 'out_segment_changed'
        from facts f join groups b on b.fact = f.fact - 1
        where f.was_pql and f.is_pql and not exists (from groups g where g.fact = f.fact and g.grouping = b.grouping and g.name = b.name)
    ),
    flows as (
        select
            zone, unit, window_start, grouping, "group",
            count(*) filter (why like 'in_%') as inflow,
            count(*) filter (why like 'out_%') as outflow,
            count(*) filter (why = 'in_qualified') as in_qualified,
            count(*) filter (why = 'in_requalified') as in_requalified,
            count(*) filter (why = 'in_segment_changed') as in_segment_changed,
            count(*) filter (why = 'out_inactive') as out_inactive,
            count(*) filter (why = 'out_trial_ended') as out_trial_ended,
            count(*) filter (why = 'out_step_undone') as out_step_undone,
            count(*) filter (why = 'out_excluded') as out_excluded,
            count(*) filter (why = 'out_tier_changed') as out_tier_changed,
            count(*) filter (why = 'out_segment_changed') as out_segment_changed,
            count(*) filter (why = 'out_definition_changed') as out_definition_changed,
            count(*) filter (why = 'out_converted') as out_converted,
            count(*) filter (why = 'out_other') as out_other
        from moves join windows on stood_at >= window_start and stood_at < window_end
        group by all
    ),
    begun as ( -- all windows from the first one in which something happened
        select w.zone, w.unit, w.window_start, w.window_end, grouping, "group"
        from (select zone, unit, grouping, "group", min(window_start) as first from flows group by all) s
        join windows w on w.zone = s.zone and w.unit = s.unit and w.window_start >= s.first, settings
        where w.window_start <= watermark
    ),
    filled as (
        select
            begun.*, coalesce(columns(flows.* exclude (zone, unit, window_start, grouping, "group")), 0)
        from begun left join flows using (zone, unit, window_start, grouping, "group")
    ),
    counted as (
        select *, sum(inflow - outflow) over (partition by zone, unit, grouping, "group" order by window_start) as current_end from filled
    )
select
    '' as detail, *, in_qualified as first, in_requalified as repeated, in_qualified + in_requalified as raw,
    current_end - inflow + outflow as current_start, null as mature_at
from counted;
