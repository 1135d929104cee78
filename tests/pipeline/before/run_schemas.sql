-- one row per run schema that has not been dropped yet
-- key: run_schema
-- load: inserted before the schema is created, deleted after it is dropped
-- late data: none; the schema of a dead run is dropped after two days
create table {{ ops() }}.run_schemas (
    run_schema varchar(127) not null sortkey,
    run_id varchar(256) not null,
    created_at timestamp not null
) diststyle all;
