delete from usual.songs;
insert into usual.songs (song_id, title, artist_id, year, duration)
select distinct
    song_id,
    title,
    artist_id,
    year,
    duration
from usual.staging_songs;
