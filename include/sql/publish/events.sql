-- one row per accepted line of a loaded log file
-- load: the superseded lines are replaced by the staged ones
delete from {{ star() }}.events
using {{ run_schema(run_id) }}.superseded_events as x
where
    events.start_time = x.start_time
    and events.source_key = x.source_key
    and events.line_number = x.line_number;
insert into {{ star() }}.events (
    source_key, line_number, file_date, start_time, ts, page, user_id, level, session_id, item_in_session, song,
    artist, length, first_name, last_name, gender, location, user_agent, auth, method, status, registration
)
select
    source_key,
    line_number,
    file_date,
    start_time,
    ts,
    page,
    user_id,
    level,
    session_id,
    item_in_session,
    song,
    artist,
    length,
    first_name,
    last_name,
    gender,
    location,
    user_agent,
    auth,
    method,
    status,
    registration
from {{ run_schema(run_id) }}.staging_events;
