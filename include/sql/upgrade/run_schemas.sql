-- from: run_schema varchar(127), run_id varchar(256), created_at timestamp
-- A schema has an expiration time instead of a creation time.
create temporary table run_schemas_before as
select
    run_schema,
    run_id,
    created_at
from {{ ops() }}.run_schemas;
drop table {{ ops() }}.run_schemas;
{% include 'create/run_schemas.sql' %}
insert into {{ ops() }}.run_schemas (run_schema, run_id, expires_at)
select
    run_schema,
    run_id,
    dateadd(day, 2, created_at) as expires_at
from run_schemas_before;
drop table run_schemas_before;
