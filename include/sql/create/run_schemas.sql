-- one row per run schema that has not been dropped yet
-- key: run_schema
-- load: inserted in the transaction that creates the schema, deleted in the one that drops it
-- late data: none. The schema of a dead run is dropped when it expires
create table if not exists {{ ops() }}.run_schemas (
    run_schema varchar(127) not null sortkey,
    run_id varchar(256) not null,
    expires_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.run_schemas is 'Schemas of active runs and of runs that died';
comment on column {{ ops() }}.run_schemas.run_schema is 'Name of the schema';
comment on column {{ ops() }}.run_schemas.run_id is 'DAG run that it belongs to';
comment on column {{ ops() }}.run_schemas.expires_at is 'Time limit of the run plus one day, UTC; after that, any other run drops the schema';
