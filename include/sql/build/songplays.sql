-- one row per play on the days in scope, as it will be
-- key: songplay_id
-- load: derived anew; of copies of a play the first file by key, then the first line, decides
-- late data: a play takes the day of its own start_time
drop table if exists {{ run_schema(run_id) }}.song_matches;
create table {{ run_schema(run_id) }}.song_matches (
    title varchar(1024) not null,
    artist_name varchar(1024) not null,
    duration decimal(10, 5) not null,
    song_id varchar(32) not null,
    artist_id varchar(32) not null
) diststyle all;
insert into {{ run_schema(run_id) }}.song_matches (title, artist_name, duration, song_id, artist_id)
select
    m.title,
    m.artist_name,
    m.duration,
    m.song_id,
    m.artist_id
from (
    select
        v.title,
        v.artist_name,
        v.duration,
        v.song_id,
        v.artist_id,
        row_number() over (partition by v.title, v.artist_name, v.duration order by v.song_id) as choice
    from {{ run_schema(run_id) }}.song_versions as v
    where v.preference = 1
) as m
where m.choice = 1;

drop table if exists {{ run_schema(run_id) }}.songplays;
create table {{ run_schema(run_id) }}.songplays (like {{ star() }}.songplays);
insert into {{ run_schema(run_id) }}.songplays (
    songplay_id, start_time, user_id, level, song_id, artist_id, session_id, location, user_agent, item_in_session,
    song, artist, length
)
select
    md5(
        p.ts::varchar || '|' || p.user_id::varchar || '|' || p.session_id::varchar || '|' || p.item_in_session::varchar
    ) as songplay_id,
    p.start_time,
    p.user_id,
    p.level,
    m.song_id,
    m.artist_id,
    p.session_id,
    p.location,
    p.user_agent,
    p.item_in_session,
    p.song,
    p.artist,
    p.length
from (
    select
        e.ts,
        e.start_time,
        e.user_id,
        e.level,
        e.session_id,
        e.location,
        e.user_agent,
        e.item_in_session,
        e.song,
        e.artist,
        e.length,
        row_number() over (
            partition by e.ts, e.user_id, e.session_id, e.item_in_session
            order by e.source_key, e.line_number
        ) as delivery
    from {{ run_schema(run_id) }}.plays as e
) as p
left join {{ run_schema(run_id) }}.song_matches as m
    on p.song = m.title and p.artist = m.artist_name and p.length = m.duration
where p.delivery = 1;

-- plays of other days whose song appears, changes or goes with this run
drop table if exists {{ run_schema(run_id) }}.repointed_songplays;
create table {{ run_schema(run_id) }}.repointed_songplays (
    songplay_id char(32) not null,
    song_id varchar(32),
    artist_id varchar(32)
);
insert into {{ run_schema(run_id) }}.repointed_songplays (songplay_id, song_id, artist_id)
select
    p.songplay_id,
    m.song_id,
    m.artist_id
from {{ star() }}.songplays as p
inner join (
    select
        c.title,
        c.artist_name,
        c.duration
    from {{ star() }}.catalogue as c
    where c.song_id in (select t.song_id from {{ run_schema(run_id) }}.touched_songs as t)
    union
    select
        v.title,
        v.artist_name,
        v.duration
    from {{ run_schema(run_id) }}.song_versions as v
    where v.song_id in (select t.song_id from {{ run_schema(run_id) }}.touched_songs as t)
) as k on p.song = k.title and p.artist = k.artist_name and p.length = k.duration
left join {{ run_schema(run_id) }}.song_matches as m
    on p.song = m.title and p.artist = m.artist_name and p.length = m.duration
where coalesce(p.song_id, '') <> coalesce(m.song_id, '') or coalesce(p.artist_id, '') <> coalesce(m.artist_id, '');
