-- one row per accepted line of the run's log files, whole files
-- key: source_key, line_number
-- load: COPY of the validated lines
-- late data: none; the run's schema is dropped when the run ends
create table {{ run_schema() }}.staging_events (like {{ star() }}.events);
