-- The facts that count, in the order in which they lie in the topic: `fact` numbers them, so that an account's fact before this one
-- is fact - 1.
create or replace table facts as
with
    marked as (
        select
            *,
            max("offset") filter (type in ('merged', 'erased')) over account as gone,   -- what lies before counts for nothing
            last_value(excluded) over account as is_excluded,                           -- as the newest fact says
            case
                when type in ('qualified', 'requalified') then true
                when type in ('disqualified', 'converted') then false
            end as becomes_pql
        from lifecycle
        window account as (partition by account_id order by "offset" rows between unbounded preceding and unbounded following)
    ),
    standing as (
        select
            *,
            row_number() over (order by account_id, "offset") as fact,
            coalesce(last_value(becomes_pql ignore nulls) over before, false) as was_pql,
            coalesce(last_value(becomes_pql ignore nulls) over so_far, false) as is_pql
        from marked
        where not is_excluded and (gone is null or "offset" > gone)
        window
            before as (partition by account_id order by "offset" rows between unbounded preceding and 1 preceding),
            so_far as (partition by account_id order by "offset" rows between unbounded preceding and current row)
    )
select
    fact, account_id, type, reason, step, occurred_at, signed_up_at, rate, hold_out,
    tier, segments, checklist.version as checklist, account_properties,
    was_pql, is_pql,
    is_pql and not was_pql as comes,
    was_pql and not is_pql as goes,
    -- the time of a coming, going, change or conversion
    max(occurred_at) filter (was_pql or is_pql or type = 'converted') over so_far as stood_at
from standing
window so_far as (partition by account_id order by fact rows between unbounded preceding and current row);

-- What is known of each account now.
create or replace table accounts as
select
    account_id,
    arg_max(signed_up_at, fact) filter (signed_up_at is not null) as signed_up_at,
    min(fact) filter (signed_up_at is not null) as signup_fact,                        -- the first that tells the sign-up
    coalesce(arg_min(hold_out, fact) filter (signed_up_at is not null), false) as held,
    arg_max(rate, fact) as newest_rate,
    min(stood_at) filter (comes) as first_qualified_at,
    min(stood_at) filter (type = 'converted') as first_converted_at
from facts
group by account_id;
