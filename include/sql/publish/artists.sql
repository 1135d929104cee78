-- one row per artist id
-- load: every touched artist is replaced by its candidate, or goes with its last song
delete from {{ star() }}.artists
where artist_id in (select t.artist_id from {{ run_schema(run_id) }}.touched_songs as t);
insert into {{ star() }}.artists (artist_id, name, location, latitude, longitude)
select
    artist_id,
    name,
    location,
    latitude,
    longitude
from {{ run_schema(run_id) }}.artists;
