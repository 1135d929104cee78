-- one row per accepted line of a loaded log file, for all pages. The star is derived from this history
-- key: source_key, line_number
-- load: a new version of a file replaces all lines of the previous version
-- late data: a line belongs to the day of its own start_time, even if the file belongs to another day
create table if not exists {{ star() }}.events (
    source_key varchar(1024) not null, -- S3 key of the file
    line_number integer not null, -- Number of the line in the file, from 1
    file_date date not null, -- Day in the name of the file, UTC
    start_time timestamp not null sortkey distkey, -- Time of the event, UTC, to the millisecond
    ts bigint not null, -- start_time in ms since 1970
    page varchar(64) not null, -- Page of the client. NextSong is a play
    user_id integer, -- ID of the user. NULL if the user is logged out
    level varchar(16) not null, -- Subscription at the time of the event: free or paid
    session_id integer not null, -- Session ID of the client
    item_in_session integer not null, -- Number of the event in the session, from 0
    song varchar(1024), -- Title of the played song
    artist varchar(1024), -- Artist name of the played song
    length decimal(10, 5), -- Length of the played song in seconds
    first_name varchar(256), -- First name of the user
    last_name varchar(256), -- Last name of the user
    gender varchar(16), -- F or M, as delivered
    location varchar(1024), -- Metropolitan area, as delivered
    user_agent varchar(2048), -- User-Agent header, as delivered
    auth varchar(32), -- Logged In or Logged Out
    method varchar(16), -- HTTP method
    status integer, -- HTTP status
    registration bigint, -- Time of the user's registration in ms since 1970
    primary key (source_key, line_number)
);
