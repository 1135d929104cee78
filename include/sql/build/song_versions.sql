-- one row per song file as the catalogue will be; preference 1 decides the song, artist_preference 1 the artist
-- key: source_key
-- load: derived anew; beside it, the songs that the run touches
-- late data: none
drop table if exists {{ run_schema(run_id) }}.song_versions;
create table {{ run_schema(run_id) }}.song_versions (
    source_key varchar(1024) not null,
    song_id varchar(32) not null sortkey,
    title varchar(1024) not null,
    artist_id varchar(32) not null,
    artist_name varchar(1024) not null,
    artist_location varchar(1024),
    artist_latitude decimal(9, 6),
    artist_longitude decimal(9, 6),
    year integer not null,
    duration decimal(10, 5) not null,
    preference integer not null,
    artist_preference integer not null
) diststyle all;
insert into {{ run_schema(run_id) }}.song_versions (
    source_key, song_id, title, artist_id, artist_name, artist_location, artist_latitude, artist_longitude, year,
    duration, preference, artist_preference
)
select
    v.source_key,
    v.song_id,
    v.title,
    v.artist_id,
    v.artist_name,
    v.artist_location,
    v.artist_latitude,
    v.artist_longitude,
    v.year,
    v.duration,
    row_number() over (partition by v.song_id order by v.source_key) as preference,
    row_number() over (
        partition by v.artist_id
        order by
            case when v.artist_latitude is null then 1 else 0 end asc, v.year desc, v.song_id asc, v.source_key asc
    ) as artist_preference
from (
    select
        c.source_key,
        c.song_id,
        c.title,
        c.artist_id,
        c.artist_name,
        c.artist_location,
        c.artist_latitude,
        c.artist_longitude,
        c.year,
        c.duration
    from {{ star() }}.catalogue as c
    left join {{ run_schema(run_id) }}.staging_files as f on c.source_key = f.source_key
    where f.source_key is null
    union all
    select
        s.source_key,
        s.song_id,
        s.title,
        s.artist_id,
        s.artist_name,
        s.artist_location,
        s.artist_latitude,
        s.artist_longitude,
        s.year,
        s.duration
    from {{ run_schema(run_id) }}.staging_songs as s
) as v;

-- what the run's song files say now and said before
drop table if exists {{ run_schema(run_id) }}.touched_songs;
create table {{ run_schema(run_id) }}.touched_songs (
    song_id varchar(32) not null,
    artist_id varchar(32) not null
) diststyle all;
insert into {{ run_schema(run_id) }}.touched_songs (song_id, artist_id)
select
    s.song_id,
    s.artist_id
from {{ run_schema(run_id) }}.staging_songs as s
union
select
    c.song_id,
    c.artist_id
from {{ star() }}.catalogue as c
inner join {{ run_schema(run_id) }}.staging_files as f on c.source_key = f.source_key;
