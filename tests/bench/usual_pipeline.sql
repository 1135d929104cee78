-- The pipeline of most public projects on this data, in our words: every run empties the staging tables and copies the whole
-- lake into them, appends to the fact, and replaces the dimensions by DISTINCT rows.
create schema if not exists usual;

create table if not exists usual.staging_events (
    artist varchar(1024),
    auth varchar(32),
    firstname varchar(256),
    gender varchar(16),
    iteminsession integer,
    lastname varchar(256),
    length decimal(10, 5),
    level varchar(16),
    location varchar(1024),
    method varchar(16),
    page varchar(64),
    registration double precision,
    sessionid integer,
    song varchar(1024),
    status integer,
    ts timestamp,
    useragent varchar(2048),
    userid varchar(32)
);
create table if not exists usual.staging_songs (
    num_songs integer,
    artist_id varchar(32),
    artist_latitude double precision,
    artist_longitude double precision,
    artist_location varchar(1024),
    artist_name varchar(1024),
    song_id varchar(32),
    title varchar(1024),
    duration decimal(10, 5),
    year integer
);
create table if not exists usual.songplays (
    songplay_id bigint identity(0, 1),
    start_time timestamp,
    user_id varchar(32),
    level varchar(16),
    song_id varchar(32),
    artist_id varchar(32),
    session_id integer,
    location varchar(1024),
    user_agent varchar(2048)
);
create table if not exists usual.users (
    user_id varchar(32),
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16)
);
create table if not exists usual.songs (
    song_id varchar(32),
    title varchar(1024),
    artist_id varchar(32),
    year integer,
    duration decimal(10, 5)
);
create table if not exists usual.artists (
    artist_id varchar(32),
    name varchar(1024),
    location varchar(1024),
    latitude double precision,
    longitude double precision
);
create table if not exists usual."time" (
    start_time timestamp,
    hour integer,
    day integer,
    week integer,
    month integer,
    year integer,
    weekday integer
);

delete from usual.staging_events;
copy usual.staging_events from 's3://{{ lake }}/log_data' iam_role '{{ role }}'
format as json 'auto ignorecase' timeformat 'epochmillisecs' emptyasnull;
delete from usual.staging_songs;
copy usual.staging_songs from 's3://{{ lake }}/song_data' iam_role '{{ role }}'
format as json 'auto';

insert into usual.songplays (start_time, user_id, level, song_id, artist_id, session_id, location, user_agent)
select
    e.ts,
    e.userid,
    e.level,
    s.song_id,
    s.artist_id,
    e.sessionid,
    e.location,
    e.useragent
from usual.staging_events as e
left join usual.staging_songs as s on e.song = s.title and e.artist = s.artist_name and e.length = s.duration
where e.page = 'NextSong';

delete from usual.users;
insert into usual.users (user_id, first_name, last_name, gender, level)
select distinct
    userid,
    firstname,
    lastname,
    gender,
    level
from usual.staging_events
where page = 'NextSong';

delete from usual.songs;
insert into usual.songs (song_id, title, artist_id, year, duration)
select distinct
    song_id,
    title,
    artist_id,
    year,
    duration
from usual.staging_songs;

delete from usual.artists;
insert into usual.artists (artist_id, name, location, latitude, longitude)
select distinct
    artist_id,
    artist_name,
    artist_location,
    artist_latitude,
    artist_longitude
from usual.staging_songs;

delete from usual."time";
insert into usual."time" (start_time, hour, day, week, month, year, weekday)
select distinct
    start_time,
    extract(hour from start_time),
    extract(day from start_time),
    extract(week from start_time),
    extract(month from start_time),
    extract(year from start_time),
    extract(dow from start_time)
from usual.songplays;
