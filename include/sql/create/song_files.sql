-- one row per loaded song file. Songs and artists are derived from this history
-- key: source_key
-- load: a new version of a file replaces its row
-- late data: none, because a song has no time
create table if not exists {{ star() }}.song_files (
    source_key varchar(1024) not null, -- S3 key of the file
    song_id varchar(32) not null sortkey, -- Natural key of the song
    title varchar(1024) not null, -- Title of the song
    artist_id varchar(32) not null, -- Natural key of the artist
    artist_name varchar(1024) not null, -- Name of the artist in this file
    artist_location varchar(1024), -- Place of the artist in this file, as delivered
    artist_latitude decimal(9, 6), -- Latitude of the place in degrees
    artist_longitude decimal(9, 6), -- Longitude of the place in degrees
    year integer not null, -- Year of release. 0 if unknown
    duration decimal(10, 5) not null, -- Duration of the song in seconds
    primary key (source_key)
) diststyle all;
