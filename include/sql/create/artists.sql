-- one row per artist ID
-- key: artist_id
-- load: merged. Song files with coordinates have priority, then the file of the latest song (year, then song_id)
-- late data: a song file with a higher priority replaces the whole row
create table if not exists {{ star() }}.artists (
    artist_id varchar(32) not null sortkey, -- Natural key of the artist
    name varchar(1024) not null, -- Name in the selected song file
    location varchar(1024), -- Place of the artist, as delivered (text, an empty string, or an HTML anchor)
    latitude decimal(9, 6), -- Latitude of the place in degrees, positive in the north
    longitude decimal(9, 6), -- Longitude of the place in degrees, positive in the east
    primary key (artist_id)
) diststyle all;
