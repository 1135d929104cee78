-- one row per loaded file
-- key: source_key
-- load: written in the transaction that publishes the rows of the file
-- late data: a file in the lake is due if it is not in this table or has another ETag
create table if not exists {{ ops() }}.loaded_files (
    source_key varchar(1024) not null sortkey, -- S3 key of the file
    kind varchar(16) not null, -- events or songs
    etag varchar(64) not null, -- ETag of the loaded version. Each file has one loaded version
    size bigint not null, -- Bytes of the loaded version
    last_modified timestamp, -- Time of the last modification of the loaded version, UTC
    file_date date, -- Day in the name of a log file, UTC. NULL for songs
    first_event timestamp, -- Earliest start_time in a log file, UTC. NULL for songs and empty files
    last_event timestamp, -- Latest start_time in a log file, UTC. NULL for songs and empty files
    lines integer not null, -- Number of lines in the file that are not blank
    accepted integer not null, -- Number of accepted lines
    rejected integer not null, -- Number of rejected lines
    run_id varchar(256) not null, -- DAG run that loaded this version
    loaded_at timestamp not null -- Time of the load, UTC
) diststyle all;
