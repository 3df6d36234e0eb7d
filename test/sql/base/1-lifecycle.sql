-- pql.lifecycle, as kcat has written it to a file, a line a fact: partition, offset, and the fact as it lies in the topic.
create or replace table lifecycle as
select partition, "offset", fact.*
from read_json(getvariable('lifecycle'), format = 'newline_delimited', columns = {
    partition: 'integer', "offset": 'bigint', fact: 'struct(
        account_id varchar, type varchar, reason varchar, step varchar, occurred_at bigint, signed_up_at bigint, rate double,
        hold_out boolean, excluded boolean, tier varchar, segments varchar[], checklist struct(version integer),
        account_properties map(varchar, varchar))'});
