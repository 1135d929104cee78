-- one row per loaded song file
-- load: the rows of the run's files are replaced
delete from {{ star() }}.song_files
using {{ run_schema() }}.staging_files as f
where song_files.source_key = f.source_key;
insert into {{ star() }}.song_files ({{ columns("song_files") }})
select {{ columns("song_files") }}
from {{ run_schema() }}.staging_songs;
