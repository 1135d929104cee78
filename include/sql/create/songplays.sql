-- one row per play: a NextSong event, however often and in however many files it was delivered
-- key: songplay_id
-- load: the affected days are replaced, and a song that arrives later is linked to its plays
-- late data: a late play belongs to the interval of its own start_time
create table if not exists {{ star() }}.songplays (
    songplay_id char(32) not null, -- MD5 of start_time (ms since 1970), user_id, session_id and item_in_session
    start_time timestamp not null sortkey distkey, -- Start of the play, UTC, to the millisecond
    user_id integer not null, -- User who listened; key of users
    level varchar(16) not null, -- Subscription at the time of the play: free or paid
    song_id varchar(32), -- Song with the same title, artist name and duration; NULL if no song matches
    artist_id varchar(32), -- Artist of that song; NULL if no song matches
    session_id integer not null, -- Session of the client
    location varchar(1024), -- Metropolitan area of the listener, as delivered
    user_agent varchar(2048), -- User-Agent header of the client, as delivered
    item_in_session integer not null, -- Number of the event in its session, from 0
    song varchar(1024) not null, -- Title as in the event (some are UTF-8 encoded twice at the source)
    artist varchar(1024) not null, -- Artist name as in the event (some are UTF-8 encoded twice at the source)
    length decimal(10, 5) not null, -- Length of the song in seconds, as in the event
    primary key (songplay_id)
);
