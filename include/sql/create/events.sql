-- one row per accepted line of a loaded log file, all pages: the history that the star is derived from
-- key: source_key, line_number
-- load: a new version of a file replaces all lines of the previous version
-- late data: a line that belongs to another day than its file is kept, and counts for its own day
create table if not exists {{ star() }}.events (
    source_key varchar(1024) not null,
    line_number integer not null,
    file_date date not null,
    start_time timestamp not null sortkey distkey,
    ts bigint not null,
    page varchar(64) not null,
    user_id integer,
    level varchar(16) not null,
    session_id integer not null,
    item_in_session integer not null,
    song varchar(1024),
    artist varchar(1024),
    length decimal(10, 5),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    location varchar(1024),
    user_agent varchar(2048),
    auth varchar(32),
    method varchar(16),
    status integer,
    registration bigint,
    primary key (source_key, line_number)
);
comment on table {{ star() }}.events is 'Every accepted line of the activity log, with its file and line';
comment on column {{ star() }}.events.source_key is 'S3 key of the file';
comment on column {{ star() }}.events.line_number is 'Line in that file, from 1';
comment on column {{ star() }}.events.file_date is 'Day in the file''s name, UTC';
comment on column {{ star() }}.events.start_time is 'Time of the event, UTC, to the millisecond';
comment on column {{ star() }}.events.ts is 'start_time in ms since 1970';
comment on column {{ star() }}.events.page is 'Page of the client; NextSong is a play';
comment on column {{ star() }}.events.user_id is 'User; NULL if logged out';
comment on column {{ star() }}.events.level is 'Subscription at the time of the event: free or paid';
comment on column {{ star() }}.events.session_id is 'Session of the client';
comment on column {{ star() }}.events.item_in_session is 'Number of the event in its session, from 0';
comment on column {{ star() }}.events.song is 'Title of the played song';
comment on column {{ star() }}.events.artist is 'Artist name of the played song';
comment on column {{ star() }}.events.length is 'Length of the played song in seconds';
comment on column {{ star() }}.events.first_name is 'First name of the user';
comment on column {{ star() }}.events.last_name is 'Last name of the user';
comment on column {{ star() }}.events.gender is 'F or M, as delivered';
comment on column {{ star() }}.events.location is 'Metropolitan area, as delivered';
comment on column {{ star() }}.events.user_agent is 'User-Agent header, as delivered';
comment on column {{ star() }}.events.auth is 'Logged In or Logged Out';
comment on column {{ star() }}.events.method is 'HTTP method';
comment on column {{ star() }}.events.status is 'HTTP status';
comment on column {{ star() }}.events.registration is 'Time of the user''s registration in ms since 1970';
