-- one row per song file of the touched songs and artists, as the history will be; preference 1 decides the song,
-- artist_preference 1 the artist
-- key: source_key
-- load: derived
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
insert into {{ run_schema(run_id) }}.song_versions ({{ columns("song_files") }}, preference, artist_preference)
with published as (
    select {{ columns("song_files", "c") }}
    from {{ star() }}.song_files as c
    inner join (select distinct song_id from {{ run_schema(run_id) }}.touched_songs) as t on c.song_id = t.song_id
    union
    select {{ columns("song_files", "c") }}
    from {{ star() }}.song_files as c
    inner join (select distinct artist_id from {{ run_schema(run_id) }}.touched_songs) as t on c.artist_id = t.artist_id
),

versions as (
    select {{ columns("song_files", "p") }}
    from published as p
    left join {{ run_schema(run_id) }}.staging_files as f on p.source_key = f.source_key
    where f.source_key is null
    union all
    select {{ columns("song_files", "s") }}
    from {{ run_schema(run_id) }}.staging_songs as s
)

select
    {{ columns("song_files", "v") }},
    row_number() over (partition by v.song_id order by v.source_key) as preference,
    row_number() over (
        partition by v.artist_id
        order by
            case when v.artist_latitude is null then 1 else 0 end asc, v.year desc, v.song_id asc, v.source_key asc
    ) as artist_preference
from versions as v;
