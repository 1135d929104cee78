-- one row per song
-- key: song_id
-- load: merged; of several files with one song_id the first by key decides
-- late data: a song may come after its plays, which are then pointed to it
create table if not exists {{ star() }}.songs (
    song_id varchar(32) not null sortkey,
    title varchar(1024) not null,
    artist_id varchar(32) not null,
    year integer not null,
    duration decimal(10, 5) not null,
    primary key (song_id)
) diststyle all;
comment on table {{ star() }}.songs is 'Songs of the catalogue';
comment on column {{ star() }}.songs.song_id is 'Natural key of the song';
comment on column {{ star() }}.songs.title is 'Title';
comment on column {{ star() }}.songs.artist_id is 'Artist; key of artists';
comment on column {{ star() }}.songs.year is 'Year of release; 0 if unknown';
comment on column {{ star() }}.songs.duration is 'Duration in seconds';
