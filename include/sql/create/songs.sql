-- one row per song
-- key: song_id
-- load: merged. Of several files with the same song_id, the first by key decides
-- late data: a song may arrive after its plays, which are then linked to it
-- sort key: the title, because plays are matched with songs by title
create table if not exists {{ star() }}.songs (
    song_id varchar(32) not null, -- Natural key of the song
    title varchar(1024) not null sortkey, -- Title
    artist_id varchar(32) not null, -- Artist; key of artists
    year integer not null, -- Year of release; 0 if unknown
    duration decimal(10, 5) not null, -- Duration in seconds
    artist_name varchar(1024) not null, -- Name of the artist in the deciding song file; plays are matched by it
    primary key (song_id)
) diststyle all;
