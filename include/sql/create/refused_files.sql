-- one row per file that was refused as a whole when it was last read
-- key: source_key
-- load: replaced whenever the file is refused, whether the run publishes or not
-- late data: publishing a good version deletes the row; a full refresh deletes all older rows. A version loaded before stays loaded
create table if not exists {{ ops() }}.refused_files (
    source_key varchar(1024) not null sortkey, -- S3 key of the file
    kind varchar(16) not null, -- events or songs
    etag varchar(64) not null, -- ETag of the refused version, which mode load does not read again; empty if S3 did not return it
    lines integer not null, -- Lines that are not blank, in the part of the file that was read
    rejected integer not null, -- Rejected lines among them
    reason varchar(2048) not null, -- Reason for the refusal
    run_id varchar(256) not null, -- DAG run that read it
    refused_at timestamp not null -- Time at which the file was read, UTC
) diststyle all;
