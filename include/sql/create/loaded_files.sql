-- one row per loaded file
-- key: source_key
-- load: written in the transaction that publishes the rows of the file
-- late data: a file that is not in this table, or has another ETag, is due
create table if not exists {{ ops() }}.loaded_files (
    source_key varchar(1024) not null sortkey,
    kind varchar(16) not null,
    etag varchar(64) not null,
    size bigint not null,
    last_modified timestamp,
    file_date date,
    first_event timestamp,
    last_event timestamp,
    lines integer not null,
    accepted integer not null,
    rejected integer not null,
    run_id varchar(256) not null,
    loaded_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.loaded_files is 'Ledger: the loaded files and their loaded versions';
comment on column {{ ops() }}.loaded_files.source_key is 'S3 key of the file';
comment on column {{ ops() }}.loaded_files.kind is 'events or songs';
comment on column {{ ops() }}.loaded_files.etag is 'ETag of the loaded version; one version per file';
comment on column {{ ops() }}.loaded_files.size is 'Bytes of that version';
comment on column {{ ops() }}.loaded_files.last_modified is 'Time at which that version was written, UTC';
comment on column {{ ops() }}.loaded_files.file_date is 'Day in the name of a log file, UTC; NULL for songs';
comment on column {{ ops() }}.loaded_files.first_event is 'Earliest start_time in a log file, UTC; NULL for songs and for empty files';
comment on column {{ ops() }}.loaded_files.last_event is 'Latest start_time in a log file, UTC';
comment on column {{ ops() }}.loaded_files.lines is 'Lines in the file that are not blank';
comment on column {{ ops() }}.loaded_files.accepted is 'Accepted lines of the whole file';
comment on column {{ ops() }}.loaded_files.rejected is 'Rejected lines of the whole file';
comment on column {{ ops() }}.loaded_files.run_id is 'DAG run that loaded it last';
comment on column {{ ops() }}.loaded_files.loaded_at is 'Time of the load, UTC';
