-- one row per published event of the run's log files
-- key: source_key, line_number
-- load: derived; a new version of a file replaces all lines of the one before
-- late data: none
drop table if exists {{ run_schema(run_id) }}.superseded_events;
create table {{ run_schema(run_id) }}.superseded_events (
    source_key varchar(1024) not null,
    line_number integer not null,
    start_time timestamp not null sortkey
);
insert into {{ run_schema(run_id) }}.superseded_events (source_key, line_number, start_time)
select
    e.source_key,
    e.line_number,
    e.start_time
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.staging_files as f on e.source_key = f.source_key;
