-- one row per file that the run loads or, for a full refresh, that has vanished from the lake
-- key: source_key
-- load: COPY of the attributes that `validate` determined for each file
-- late data: none. The run schema is dropped when the run ends
create table {{ run_schema() }}.staging_files (
    kind varchar(16) not null,
    source_key varchar(1024) not null,
    etag varchar(64) not null,
    size bigint not null,
    last_modified timestamp,
    file_date date,
    ledger_etag varchar(64) not null,
    vanished boolean not null,
    lines integer not null,
    blank_lines integer not null,
    accepted integer not null,
    rejected integer not null,
    cut_values integer not null,
    unknown_fields varchar(2048) not null
) diststyle all;
