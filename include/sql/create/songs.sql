-- one row per song
-- key: song_id
-- load: merged. If several files have the same song_id, the first file by key is used
-- late data: if a song arrives after its plays, the plays are matched with the song at that time
-- sort key: title, because plays are matched with songs by title
create table if not exists {{ star() }}.songs (
    song_id varchar(32) not null, -- Natural key of the song
    title varchar(1024) not null sortkey, -- Title of the song
    artist_id varchar(32) not null, -- ID of the artist, key of artists
    year integer not null, -- Year of release. 0 if unknown
    duration decimal(10, 5) not null, -- Duration of the song in seconds
    artist_name varchar(1024) not null, -- Name of the artist in the selected song file, which must be the same in matching plays
    primary key (song_id)
) diststyle all;
