-- one row per accepted line or document of a source in the files of the run: staging_events, staging_songs
-- key: the key of the source's history
-- load: COPY of the validated lines
-- late data: none. The run schema is dropped when the run ends
create table {{ run_schema() }}.{{ source.staging }} (like {{ star() }}.{{ source.history }});
