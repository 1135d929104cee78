-- one row per accepted log line that the run owns: in its windows, or of another day than its file's
-- key: source_key, line_number
-- load: COPY of the screened lines into a new table
-- late data: none; the run's schema lives no longer than the run
create table {{ run_schema(run_id) }}.staging_events (like {{ star() }}.events);
