-- one row per touched song, with the values to publish
-- key: song_id
-- load: derived from all song files of the song
-- late data: none
drop table if exists {{ run_schema() }}.songs;
create table {{ run_schema() }}.songs (like {{ star() }}.songs);
insert into {{ run_schema() }}.songs (song_id, title, artist_id, year, duration, artist_name)
select
    v.song_id,
    v.title,
    v.artist_id,
    v.year,
    v.duration,
    v.artist_name
from {{ run_schema() }}.ranked_song_files as v
where
    v.preference = 1
    and v.song_id in (select t.song_id from {{ run_schema() }}.touched_songs as t);
