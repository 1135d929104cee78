-- one row per run schema that has not been dropped yet
-- key: run_schema
-- load: inserted in the transaction that creates the schema, and deleted in the transaction that drops the schema
-- late data: none. The schema of a dead run is dropped when it expires
create table if not exists {{ ops() }}.run_schemas (
    run_schema varchar(127) not null sortkey, -- Name of the schema
    run_id varchar(256) not null, -- DAG run that created the schema
    expires_at timestamp not null -- Time after which another run drops the schema, one day after the time limit of the run, UTC
) diststyle all;
