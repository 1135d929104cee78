-- one row per song file of the touched songs and artists, as in the history after the run. The file with preference 1
-- determines the song, and the file with artist_preference 1 determines the artist
-- key: source_key
-- load: derived. Files of a song are ranked by key. Files of an artist are ranked by coordinates (known first), then latest song
-- late data: none
drop table if exists {{ run_schema() }}.ranked_song_files;
create table {{ run_schema() }}.ranked_song_files diststyle all sortkey (song_id) as
with published as (
    select {{ columns("song_files", "c") }}
    from {{ star() }}.song_files as c
    inner join (select distinct song_id from {{ run_schema() }}.touched_songs) as t on c.song_id = t.song_id
    union
    select {{ columns("song_files", "c") }}
    from {{ star() }}.song_files as c
    inner join (select distinct artist_id from {{ run_schema() }}.touched_songs) as t on c.artist_id = t.artist_id
),

versions as (
    select {{ columns("song_files", "p") }}
    from published as p
    left join {{ run_schema() }}.staging_files as f on p.source_key = f.source_key
    where f.source_key is null
    union all
    select {{ columns("song_files", "s") }}
    from {{ run_schema() }}.staging_songs as s
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
