-- one row per schema of a run that was not dropped yet
-- key: run_schema
-- load: written before the schema is made, removed after it is dropped
-- late data: none; what a dead run left is swept after two days
create table if not exists {{ star() }}.run_schemas (
    run_schema varchar(127) not null sortkey,
    run_id varchar(256) not null,
    created_at timestamp not null
) diststyle all;
comment on table {{ star() }}.run_schemas is 'Schemas of runs that are under way, or died';
comment on column {{ star() }}.run_schemas.run_schema is 'Name of the schema';
comment on column {{ star() }}.run_schemas.run_id is 'DAG run it belongs to';
comment on column {{ star() }}.run_schemas.created_at is 'When it was made, UTC';
