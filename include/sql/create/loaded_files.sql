-- one row per loaded file
-- key: source_key
-- load: written in the transaction that publishes the rows of the file
-- late data: a file that is not in this table, or has another ETag, is due
create table if not exists {{ ops() }}.loaded_files (
    source_key varchar(1024) not null sortkey, -- S3 key of the file
    kind varchar(16) not null, -- events or songs
    etag varchar(64) not null, -- ETag of the loaded version; one version per file
    size bigint not null, -- Bytes of that version
    last_modified timestamp, -- Time at which that version was written, UTC
    file_date date, -- Day in the name of a log file, UTC; NULL for songs
    first_event timestamp, -- Earliest start_time in a log file, UTC; NULL for songs and for empty files
    last_event timestamp, -- Latest start_time in a log file, UTC
    lines integer not null, -- Lines in the file that are not blank
    accepted integer not null, -- Accepted lines of the whole file
    rejected integer not null, -- Rejected lines of the whole file
    run_id varchar(256) not null, -- DAG run that loaded it last
    loaded_at timestamp not null -- Time of the load, UTC
) diststyle all;
