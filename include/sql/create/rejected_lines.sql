-- one row per line rejected when its file was last read (at most 1,000 per file; beyond 20,000 per task, one per file)
-- key: source_key, line_number
-- load: a file's rows are replaced whenever any of its lines are rejected, whether the run publishes or not
-- late data: publishing a corrected file deletes its rows; a full refresh deletes all older rows
create table if not exists {{ ops() }}.rejected_lines (
    source_key varchar(1024) not null sortkey,
    etag varchar(64) not null,
    line_number integer not null,
    column_name varchar(64) not null,
    reason varchar(2048) not null,
    raw_line varchar(4096) not null,
    run_id varchar(256) not null,
    rejected_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.rejected_lines is 'Lines that broke the contract, as delivered';
comment on column {{ ops() }}.rejected_lines.source_key is 'S3 key of the file';
comment on column {{ ops() }}.rejected_lines.etag is 'ETag of the version that was read';
comment on column {{ ops() }}.rejected_lines.line_number is 'Line in that file, from 1; 1 for a song file';
comment on column {{ ops() }}.rejected_lines.column_name is 'Column that broke the contract; empty if the whole line did';
comment on column {{ ops() }}.rejected_lines.reason is 'Reason for the rejection';
comment on column {{ ops() }}.rejected_lines.raw_line is 'First 4,096 bytes of the line';
comment on column {{ ops() }}.rejected_lines.run_id is 'DAG run that read it';
comment on column {{ ops() }}.rejected_lines.rejected_at is 'Time at which the file was read, UTC';
