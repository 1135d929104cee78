-- one row per file and loaded interval (songs: one row without an interval), and per absent interval of a day
-- key: source_key, interval_start
-- load: the ledger; written in the transaction that publishes the rows
-- late data: a file that is new, or whose ETag differs from this row, is due
create table {{ ops() }}.loaded_files (
    source_key varchar(1024) not null sortkey,
    kind varchar(16) not null,
    etag varchar(64) not null,
    size bigint not null,
    last_modified timestamp,
    interval_start timestamp,
    interval_end timestamp,
    lines integer not null,
    accepted integer not null,
    rejected integer not null,
    first_stray timestamp,
    last_stray timestamp,
    run_id varchar(256) not null,
    loaded_at timestamp not null
) diststyle all;
