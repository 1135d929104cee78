-- one row per line rejected when its file was last read (at most 1,000 per file; beyond 20,000 per task, one per file)
-- key: source_key, line_number
-- load: a file's rows are replaced whenever any of its lines are rejected, whether the run publishes or not
-- late data: publishing a corrected file deletes its rows; a full refresh deletes all older rows
create table if not exists {{ ops() }}.rejected_lines (
    source_key varchar(1024) not null sortkey, -- S3 key of the file
    etag varchar(64) not null, -- ETag of the version that was read
    line_number integer not null, -- Line in that file, from 1; 1 for a song file
    column_name varchar(64) not null, -- Column that broke the contract; empty if the whole line did
    reason varchar(2048) not null, -- Reason for the rejection
    raw_line varchar(4096) not null, -- First 4,096 bytes of the line
    run_id varchar(256) not null, -- DAG run that read it
    rejected_at timestamp not null -- Time at which the file was read, UTC
) diststyle all;
