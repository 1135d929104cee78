-- one row per accepted song file of the run
-- key: source_key
-- load: COPY of the validated files
-- late data: none; the run's schema is dropped when the run ends
create table {{ run_schema() }}.staging_songs (like {{ star() }}.song_files);
