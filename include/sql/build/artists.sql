-- one row per touched artist, with the values to publish
-- key: artist_id
-- load: derived from all song files of the artist
-- late data: none
drop table if exists {{ run_schema() }}.artists;
create table {{ run_schema() }}.artists (like {{ star() }}.artists);
insert into {{ run_schema() }}.artists (artist_id, name, location, latitude, longitude)
select
    v.artist_id,
    v.artist_name,
    v.artist_location,
    v.artist_latitude,
    v.artist_longitude
from {{ run_schema() }}.ranked_song_files as v
where
    v.artist_preference = 1
    and v.artist_id in (select t.artist_id from {{ run_schema() }}.touched_songs as t);
