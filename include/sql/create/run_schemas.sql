-- one row per schema of a run that was not dropped yet
-- key: run_schema
-- load: inserted before the schema is created, deleted after it is dropped
-- late data: none; the schema of a dead run is dropped after two days
create table if not exists {{ ops() }}.run_schemas (
    run_schema varchar(127) not null sortkey,
    run_id varchar(256) not null,
    created_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.run_schemas is 'Schemas of runs that are active or died';
comment on column {{ ops() }}.run_schemas.run_schema is 'Name of the schema';
comment on column {{ ops() }}.run_schemas.run_id is 'DAG run that it belongs to';
comment on column {{ ops() }}.run_schemas.created_at is 'Time of its creation, UTC';
