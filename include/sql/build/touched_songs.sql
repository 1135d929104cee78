-- one row per pair of song and artist in a song file of the run, in the new version or in the loaded version
-- key: song_id, artist_id
-- load: derived
-- late data: none
drop table if exists {{ run_schema() }}.touched_songs;
create table {{ run_schema() }}.touched_songs diststyle all as
select
    s.song_id,
    s.artist_id
from {{ run_schema() }}.staging_songs as s
union
select
    c.song_id,
    c.artist_id
from {{ star() }}.song_files as c
inner join {{ run_schema() }}.staging_files as f on c.source_key = f.source_key
where f.kind = 'songs';
