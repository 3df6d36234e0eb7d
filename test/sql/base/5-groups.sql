-- Comma and backslash in a value are written with a backslash before them.
create or replace macro in_name(value) as replace(replace(coalesce(value, ''), '\', '\\'), ',', '\,');

-- In which groups each fact finds its account. A value of more than 128 bytes is cut there, and a zero byte replaced, which this does not do.
create or replace table groups as
with
    fact_segments as (
        select fact, unnest(case when len(segments) > 0 then list_distinct(segments) else [''] end) as segment from facts
    ),
    of_grouping as (
        select fact, array_to_string(dimensions, ',') as grouping, dimensions, segment
        from groupings, fact_segments
        where list_contains(dimensions, 'segment')
        union all
        select fact, array_to_string(dimensions, ','), dimensions, '' from groupings, facts where not list_contains(dimensions, 'segment')
    ),
    named as (
        select fact, grouping, dimensions, array_to_string(list_transform(dimensions, lambda d: in_name(case d
            when 'tier' then tier
            when 'checklist' then checklist::varchar
            when 'segment' then segment
            else account_properties[d]
        end)), ',') as name
        from of_grouping join facts using (fact)
    ),
    told_apart as (
        select fact, grouping, if(name = 'other' and len(dimensions) = 1, '\other', name) as name from named
    )
select
    fact, grouping, name,
    if((select count(*) from named_groups) = 0 or (grouping, name) in (select (n.grouping, n."group") from named_groups n), name, 'other') as "group"
from told_apart;
