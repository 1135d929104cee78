-- one row per check of a run
-- key: run_id, table_name, check_name
-- load: the row of a check is replaced if the check runs again in the same DAG run
-- late data: none
create table if not exists {{ ops() }}.quality_results (
    run_id varchar(256) not null sortkey, -- DAG run
    interval_start timestamp not null, -- Start of the run's interval, UTC
    interval_end timestamp not null, -- End of the run's interval, UTC, exclusive
    table_name varchar(64) not null, -- Table in the run schema that was checked
    check_name varchar(128) not null, -- Name of the check in include/checks
    severity varchar(8) not null, -- Severity of the check: fail stops the run, and warn does not
    description varchar(1024) not null, -- Condition that the check requires
    actual varchar(1024) not null, -- Result of the check
    passed boolean not null, -- True if the check passed
    sample varchar(8192) not null, -- First failing rows as JSON lines. Empty if the check passed
    checked_at timestamp not null -- Time of the check, UTC
) diststyle all;
