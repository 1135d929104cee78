-- Our version of the pipeline in most public projects on this data: every run empties the staging tables, copies the
-- lake into them, appends to the fact table, and replaces the rows of the dimensions with DISTINCT rows.
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
