-- one row per check of a run
-- key: run_id, table_name, check_name
-- load: a check's row is replaced when its task runs again
-- late data: none
create table if not exists {{ ops() }}.quality_results (
    run_id varchar(256) not null sortkey,
    interval_start timestamp not null,
    interval_end timestamp not null,
    table_name varchar(64) not null,
    check_name varchar(128) not null,
    severity varchar(8) not null,
    description varchar(1024) not null,
    actual varchar(1024) not null,
    passed boolean not null,
    sample varchar(8192) not null,
    checked_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.quality_results is 'Every check of every run, passed or not';
comment on column {{ ops() }}.quality_results.run_id is 'DAG run';
comment on column {{ ops() }}.quality_results.interval_start is 'Start of the run''s interval, UTC';
comment on column {{ ops() }}.quality_results.interval_end is 'End of the run''s interval, UTC, exclusive';
comment on column {{ ops() }}.quality_results.table_name is 'Table checked, in the run''s own schema';
comment on column {{ ops() }}.quality_results.check_name is 'Check, as declared in include/checks';
comment on column {{ ops() }}.quality_results.severity is 'fail stops the run, warn does not';
comment on column {{ ops() }}.quality_results.description is 'Condition that the check requires';
comment on column {{ ops() }}.quality_results.actual is 'Result of the check';
comment on column {{ ops() }}.quality_results.passed is 'True if the check passed';
comment on column {{ ops() }}.quality_results.sample is 'First failing rows as JSON lines; empty if the check passed';
comment on column {{ ops() }}.quality_results.checked_at is 'Time of the check, UTC';
