-- one row per artist id
-- key: artist_id
-- load: merged. Variants of an artist with coordinates come first, then those of the latest song (year, then song_id)
-- late data: a variant that comes first replaces the whole row
create table if not exists {{ star() }}.artists (
    artist_id varchar(32) not null sortkey, -- Natural key of the artist
    name varchar(1024) not null, -- Name in the deciding variant
    location varchar(1024), -- Place of the artist as delivered (text, empty or an HTML anchor)
    latitude decimal(9, 6), -- Latitude of the place in degrees, north positive
    longitude decimal(9, 6), -- Longitude of the place in degrees, east positive
    primary key (artist_id)
) diststyle all;
