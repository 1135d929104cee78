-- one row per title, artist name and duration with a matching song, or of a touched song without one (NULL)
-- key: title, artist_name, duration
-- load: derived for the plays of the run, and for the touched songs before and after the run
-- late data: none
drop table if exists {{ run_schema() }}.song_matches;
create table {{ run_schema() }}.song_matches diststyle all sortkey (title) as
with touched_ids as (
    select distinct song_id
    from {{ run_schema() }}.touched_songs
),

candidates as (
    select
        v.title,
        v.artist_name,
        v.duration,
        v.song_id,
        v.artist_id
    from {{ run_schema() }}.ranked_song_files as v
    inner join touched_ids as t on v.song_id = t.song_id
    where v.preference = 1
),

asked as (
    select
        p.song as title,
        p.artist as artist_name,
        p.length as duration,
        0 as touched
    from {{ run_schema() }}.plays as p
    union all
    select
        s.title,
        s.artist_name,
        s.duration,
        1 as touched
    from {{ star() }}.songs as s
    inner join touched_ids as t on s.song_id = t.song_id
    union all
    select
        c.title,
        c.artist_name,
        c.duration,
        1 as touched
    from candidates as c
),

keys as (
    select
        title,
        artist_name,
        duration,
        max(touched) = 1 as touched
    from asked
    group by title, artist_name, duration
),

matches as (
    select
        k.title,
        k.artist_name,
        k.duration,
        s.song_id,
        s.artist_id
    from keys as k
    inner join {{ star() }}.songs as s
        on k.title = s.title and k.artist_name = s.artist_name and k.duration = s.duration
    left join touched_ids as t on s.song_id = t.song_id
    where t.song_id is null
    union all
    select
        c.title,
        c.artist_name,
        c.duration,
        c.song_id,
        c.artist_id
    from candidates as c
),

choices as (
    select
        title,
        artist_name,
        duration,
        song_id,
        artist_id,
        row_number() over (partition by title, artist_name, duration order by song_id) as choice
    from matches
)

select
    k.title,
    k.artist_name,
    k.duration,
    k.touched,
    c.song_id,
    c.artist_id
from keys as k
left join choices as c
    on k.title = c.title and k.artist_name = c.artist_name and k.duration = c.duration and c.choice = 1
where k.touched or c.song_id is not null;
