-- one row per loaded song file: the history that songs and artists are derived from
-- key: source_key
-- load: a new version of a file replaces its row
-- late data: none, because a song has no time
create table if not exists {{ star() }}.song_files (
    source_key varchar(1024) not null,
    song_id varchar(32) not null sortkey,
    title varchar(1024) not null,
    artist_id varchar(32) not null,
    artist_name varchar(1024) not null,
    artist_location varchar(1024),
    artist_latitude decimal(9, 6),
    artist_longitude decimal(9, 6),
    year integer not null,
    duration decimal(10, 5) not null,
    primary key (source_key)
) diststyle all;
comment on table {{ star() }}.song_files is 'Every accepted song file, with its key';
comment on column {{ star() }}.song_files.source_key is 'S3 key of the file';
comment on column {{ star() }}.song_files.song_id is 'Natural key of the song';
comment on column {{ star() }}.song_files.title is 'Title';
comment on column {{ star() }}.song_files.artist_id is 'Natural key of the artist';
comment on column {{ star() }}.song_files.artist_name is 'Name of the artist in this file';
comment on column {{ star() }}.song_files.artist_location is 'Place of the artist in this file, as delivered';
comment on column {{ star() }}.song_files.artist_latitude is 'Latitude in degrees';
comment on column {{ star() }}.song_files.artist_longitude is 'Longitude in degrees';
comment on column {{ star() }}.song_files.year is 'Year of release; 0 if unknown';
comment on column {{ star() }}.song_files.duration is 'Duration in seconds';
