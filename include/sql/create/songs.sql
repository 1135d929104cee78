-- one row per song
-- key: song_id
-- load: merged. Of several files with the same song_id, the first by key decides
-- late data: a song may arrive after its plays, which are then linked to it
-- sort key: the title, because plays are matched with songs by title
create table if not exists {{ star() }}.songs (
    song_id varchar(32) not null,
    title varchar(1024) not null sortkey,
    artist_id varchar(32) not null,
    year integer not null,
    duration decimal(10, 5) not null,
    artist_name varchar(1024) not null,
    primary key (song_id)
) diststyle all;
comment on table {{ star() }}.songs is 'Songs of the loaded song files';
comment on column {{ star() }}.songs.song_id is 'Natural key of the song';
comment on column {{ star() }}.songs.title is 'Title';
comment on column {{ star() }}.songs.artist_id is 'Artist; key of artists';
comment on column {{ star() }}.songs.year is 'Year of release; 0 if unknown';
comment on column {{ star() }}.songs.duration is 'Duration in seconds';
comment on column {{ star() }}.songs.artist_name is 'Name of the artist in the deciding song file; plays are matched by it';
