-- one row per staged line that the run publishes: in a rewritten window, or of another day than its file's
-- key: source_key, line_number
-- load: derived
-- late data: a line of another day than its file's is published whenever its file is
drop table if exists {{ run_schema(run_id) }}.new_events;
create table {{ run_schema(run_id) }}.new_events (like {{ star() }}.events);
insert into {{ run_schema(run_id) }}.new_events ({{ columns("events") }})
select {{ columns("events", "s") }}
from {{ run_schema(run_id) }}.staging_events as s
inner join {{ run_schema(run_id) }}.file_windows as w
    on s.source_key = w.source_key and s.start_time >= w.window_start and s.start_time < w.window_end
where w.rewritten and trunc(s.start_time) = s.file_date
union all
select {{ columns("events", "s") }}
from {{ run_schema(run_id) }}.staging_events as s
where trunc(s.start_time) <> s.file_date;
