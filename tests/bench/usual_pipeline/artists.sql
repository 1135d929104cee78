delete from usual.artists;
insert into usual.artists (artist_id, name, location, latitude, longitude)
select distinct
    artist_id,
    artist_name,
    artist_location,
    artist_latitude,
    artist_longitude
from usual.staging_songs;
