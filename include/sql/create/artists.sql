-- one row per artist id
-- key: artist_id
-- load: merged. Variants of an artist with coordinates come first, then those of the latest song (year, then song_id)
-- late data: a variant that comes first replaces the whole row
create table if not exists {{ star() }}.artists (
    artist_id varchar(32) not null sortkey,
    name varchar(1024) not null,
    location varchar(1024),
    latitude decimal(9, 6),
    longitude decimal(9, 6),
    primary key (artist_id)
) diststyle all;
comment on table {{ star() }}.artists is 'Artists of the loaded songs';
comment on column {{ star() }}.artists.artist_id is 'Natural key of the artist';
comment on column {{ star() }}.artists.name is 'Name in the deciding variant';
comment on column {{ star() }}.artists.location is 'Place of the artist as delivered (text, empty or an HTML anchor)';
comment on column {{ star() }}.artists.latitude is 'Latitude of the place in degrees, north positive';
comment on column {{ star() }}.artists.longitude is 'Longitude of the place in degrees, east positive';
