-- one row per play (a NextSong event), even if the play was delivered several times
-- key: songplay_id
-- load: the affected days are replaced. Plays of other days are updated if a matching song is added, changed or deleted
-- late data: a late play belongs to the day of its own start_time
create table if not exists {{ star() }}.songplays (
    songplay_id char(32) not null, -- MD5 of start_time (ms since 1970), user_id, session_id and item_in_session
    start_time timestamp not null sortkey distkey, -- Start of the play, UTC, to the millisecond
    user_id integer not null, -- ID of the user, key of users
    level varchar(16) not null, -- Subscription at the time of the play: free or paid
    song_id varchar(32), -- ID of the song with the same title, artist name and duration. NULL if no song matches
    artist_id varchar(32), -- ID of the artist of the song. NULL if no song matches
    session_id integer not null, -- Session ID of the client
    location varchar(1024), -- Metropolitan area of the listener, as delivered
    user_agent varchar(2048), -- User-Agent header of the client, as delivered
    item_in_session integer not null, -- Number of the event in the session, from 0
    song varchar(1024) not null, -- Title of the song in the event (the source encodes some titles in UTF-8 twice)
    artist varchar(1024) not null, -- Artist name in the event (the source encodes some names in UTF-8 twice)
    length decimal(10, 5) not null, -- Length of the song in the event in seconds
    primary key (songplay_id)
);
