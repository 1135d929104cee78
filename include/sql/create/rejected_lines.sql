-- one row per line that was rejected when its file was last read (up to 1,000 per file, or one per file beyond 20,000 per task)
-- key: source_key, line_number
-- load: the rows of a file are replaced each time lines of the file are rejected, even if the run does not publish
-- late data: the publish of a corrected file deletes its rows. A full refresh deletes all older rows
create table if not exists {{ ops() }}.rejected_lines (
    source_key varchar(1024) not null sortkey, -- S3 key of the file
    etag varchar(64) not null, -- ETag of the version that was read
    line_number integer not null, -- Number of the line in the file, from 1. Always 1 for a song file
    column_name varchar(64) not null, -- Column whose value violates the contract. Empty if the whole line is invalid
    reason varchar(2048) not null, -- Reason for the rejection
    raw_line varchar(4096) not null, -- First 4,096 bytes of the line
    run_id varchar(256) not null, -- DAG run that rejected the line
    rejected_at timestamp not null -- Time at which the file was read, UTC
) diststyle all;
