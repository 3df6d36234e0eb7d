-- All windows, from every quarter of an hour that the zones' clocks have shown: no clock was ever changed at another moment. A window begins
-- when the clocks show a new hour, day, week or month for the first time. An hour that they go through twice is two windows.
create or replace table windows as
with
    span as (
        select
            least(min(occurred_at), min(signed_up_at)) - ms_of_days(40) as first,
            greatest(max(occurred_at), max(signed_up_at), (select watermark from settings)) + ms_of_days(40) as last
        from lifecycle
    ),
    quarters as (
        select unnest(range(first // 900_000, last // 900_000)) * 900_000 as ms from span
    ),
    clocks as (
        select zone, ms, timezone(zone, to_timestamp(ms / 1000)) as clock from quarters, zones
    ),
    shown as (
        select
            zone, unit, ms,
            case
                when unit = 'week' then date_trunc('week', clock - to_days(week_start - 1)) + to_days(week_start - 1)
                else date_trunc(unit, clock)
            end as label,
            if(unit = 'hour', epoch_ms(clock) - ms, 0) as ahead   -- of UTC
        from clocks, units, settings
    ),
    starts as (
        select zone, unit, min(ms) as window_start from shown group by zone, unit, label, ahead
    ),
    whole as (
        select
            zone, unit, window_start,
            lead(window_start) over (partition by zone, unit order by window_start) as window_end,
            row_number() over (partition by zone, unit order by window_start) as n
        from starts
    )
select zone, unit, window_start, window_end
from whole
where n > 1 and window_end is not null; -- the first may have begun earlier
