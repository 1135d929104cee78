-- one row per run schema that has not been dropped yet
-- key: run_schema
-- load: inserted in the transaction that creates the schema, deleted in the one that drops it
-- late data: none. The schema of a dead run is dropped when it expires
create table if not exists {{ ops() }}.run_schemas (
    run_schema varchar(127) not null sortkey, -- Name of the schema
    run_id varchar(256) not null, -- DAG run that it belongs to
    expires_at timestamp not null -- Time limit of the run plus one day, UTC; after that, any other run drops the schema
) diststyle all;
