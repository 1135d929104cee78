-- one row per file that was refused as a whole when it was last read
-- key: source_key
-- load: replaced whenever the file is refused, whether the run publishes or not
-- late data: publishing a good version deletes the row; a full refresh deletes all older rows. A version loaded before stays loaded
create table if not exists {{ ops() }}.refused_files (
    source_key varchar(1024) not null sortkey,
    kind varchar(16) not null,
    etag varchar(64) not null,
    lines integer not null,
    rejected integer not null,
    reason varchar(2048) not null,
    run_id varchar(256) not null,
    refused_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.refused_files is 'Files that were refused as a whole; nothing of the refused version is loaded';
comment on column {{ ops() }}.refused_files.source_key is 'S3 key of the file';
comment on column {{ ops() }}.refused_files.kind is 'events or songs';
comment on column {{ ops() }}.refused_files.etag is 'ETag of the refused version, which mode load does not read again; empty if S3 did not return it';
comment on column {{ ops() }}.refused_files.lines is 'Lines that are not blank, in the part of the file that was read';
comment on column {{ ops() }}.refused_files.rejected is 'Rejected lines among them';
comment on column {{ ops() }}.refused_files.reason is 'Reason for the refusal';
comment on column {{ ops() }}.refused_files.run_id is 'DAG run that read it';
comment on column {{ ops() }}.refused_files.refused_at is 'Time at which the file was read, UTC';
