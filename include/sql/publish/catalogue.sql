-- one row per loaded song file
-- load: the rows of the run's files are replaced
delete from {{ star() }}.catalogue
using {{ run_schema(run_id) }}.staging_files as f
where catalogue.source_key = f.source_key;
insert into {{ star() }}.catalogue (
    source_key, song_id, title, artist_id, artist_name, artist_location, artist_latitude, artist_longitude, year,
    duration
)
select
    source_key,
    song_id,
    title,
    artist_id,
    artist_name,
    artist_location,
    artist_latitude,
    artist_longitude,
    year,
    duration
from {{ run_schema(run_id) }}.staging_songs;
