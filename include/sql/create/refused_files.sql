-- one row per file that was refused when it was last read
-- key: source_key
-- load: the row is replaced each time the file is refused, even if the run does not publish
-- late data: the publish of an accepted version deletes the row. A full refresh deletes all older rows. A loaded version stays loaded
create table if not exists {{ ops() }}.refused_files (
    source_key varchar(1024) not null sortkey, -- S3 key of the file
    kind varchar(16) not null, -- events or songs
    etag varchar(64) not null, -- ETag of the refused version, which mode load does not read again. Empty if S3 did not return the file
    lines integer not null, -- Number of lines that are not blank in the part of the file that was read
    rejected integer not null, -- Number of rejected lines in this part
    reason varchar(2048) not null, -- Reason for the refusal
    run_id varchar(256) not null, -- DAG run that refused the file
    refused_at timestamp not null -- Time at which the file was read, UTC
) diststyle all;
