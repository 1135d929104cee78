-- one row per accepted song file of the run
-- key: source_key
-- load: COPY of the screened files into a new table
-- late data: none; the run's schema lives no longer than the run
create table {{ run_schema(run_id) }}.staging_songs (like {{ star() }}.catalogue);
