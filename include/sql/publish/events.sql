-- one row per accepted line of a loaded log file
-- load: the lines of the run's files replace those of the versions that were loaded before
delete from {{ star() }}.events
using {{ ops() }}.loaded_files as l, {{ run_schema() }}.staging_files as f
where
    events.source_key = l.source_key
    and events.start_time >= l.first_event
    and events.start_time <= l.last_event
    and l.source_key = f.source_key;
insert into {{ star() }}.events ({{ columns("events") }})
select {{ columns("events") }}
from {{ run_schema() }}.staging_events;
