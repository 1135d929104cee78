-- one row per play: a NextSong event, however often and in however many files it was delivered
-- key: songplay_id
-- load: the affected days are replaced, and a song that arrives later is linked to its plays
-- late data: a late play belongs to the interval of its own start_time
create table if not exists {{ star() }}.songplays (
    songplay_id char(32) not null,
    start_time timestamp not null sortkey distkey,
    user_id integer not null,
    level varchar(16) not null,
    song_id varchar(32),
    artist_id varchar(32),
    session_id integer not null,
    location varchar(1024),
    user_agent varchar(2048),
    item_in_session integer not null,
    song varchar(1024) not null,
    artist varchar(1024) not null,
    length decimal(10, 5) not null,
    primary key (songplay_id)
);
comment on table {{ star() }}.songplays is 'Plays: one row per NextSong event';
comment on column {{ star() }}.songplays.songplay_id is 'MD5 of start_time (ms since 1970), user_id, session_id and item_in_session';
comment on column {{ star() }}.songplays.start_time is 'Start of the play, UTC, to the millisecond';
comment on column {{ star() }}.songplays.user_id is 'User who listened; key of users';
comment on column {{ star() }}.songplays.level is 'Subscription at the time of the play: free or paid';
comment on column {{ star() }}.songplays.song_id is 'Song with the same title, artist name and duration; NULL if no song matches';
comment on column {{ star() }}.songplays.artist_id is 'Artist of that song; NULL if no song matches';
comment on column {{ star() }}.songplays.session_id is 'Session of the client';
comment on column {{ star() }}.songplays.location is 'Metropolitan area of the listener, as delivered';
comment on column {{ star() }}.songplays.user_agent is 'User-Agent header of the client, as delivered';
comment on column {{ star() }}.songplays.item_in_session is 'Number of the event in its session, from 0';
comment on column {{ star() }}.songplays.song is 'Title as in the event (some are UTF-8 encoded twice at the source)';
comment on column {{ star() }}.songplays.artist is 'Artist name as in the event (some are UTF-8 encoded twice at the source)';
comment on column {{ star() }}.songplays.length is 'Length of the song in seconds, as in the event';
