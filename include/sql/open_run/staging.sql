-- one row per accepted line, or document, of the run's files of a source, whole files: staging_events, staging_songs
-- key: that of its history
-- load: COPY of the validated lines
-- late data: none. The run's schema is dropped when the run ends
create table {{ run_schema() }}.{{ source.staging }} (like {{ star() }}.{{ source.history }});
