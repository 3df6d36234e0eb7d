-- What is measured, as the configuration says it under `metrics`. These are the defaults: change what differs.
create or replace table zones as select unnest(['UTC']) as zone;
create or replace table units as select unnest(['hour', 'day', 'week', 'month']) as unit;
create or replace table groupings as select unnest([[], ['tier']]::varchar[][]) as dimensions;
create or replace table cohort_days as select unnest([7, 14, 30]) as days;
create or replace table paid_days as select unnest([7, 30, 60, 90]) as days;

create or replace table settings as select
    1 as week_start,                                        -- 1 is Monday, 7 is Sunday
    ms_of_days(1) as lateness,                              -- after its end a window is closed
    ms_of_days(120) as restatement,                         -- for so long after its end a window can be corrected
    (select max(occurred_at) from lifecycle) as watermark;  -- how far time has come: `as_of` of the newest rows

-- The groups that are told apart where there are more than `max_groups`: those of the rows. All others are one, named other.
-- While this is empty, all are told apart.
create or replace table named_groups (grouping varchar, "group" varchar);
