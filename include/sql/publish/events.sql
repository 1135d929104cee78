-- one row per accepted line of a loaded log file
-- load: the superseded events are replaced by the new ones
delete from {{ star() }}.events
using {{ run_schema(run_id) }}.superseded_events as x
where
    events.start_time = x.start_time
    and events.source_key = x.source_key
    and events.line_number = x.line_number;
insert into {{ star() }}.events ({{ columns("events") }})
select {{ columns("events") }}
from {{ run_schema(run_id) }}.staging_events;
