-- one row per play on the affected days, with the values to publish
-- key: songplay_id
-- load: derived. If a play is delivered several times, the first line of the first file by key is used
-- late data: a play belongs to the day of its own start_time
drop table if exists {{ run_schema() }}.songplays;
create table {{ run_schema() }}.songplays (like {{ star() }}.songplays);
insert into {{ run_schema() }}.songplays (
    songplay_id, start_time, user_id, level, song_id, artist_id, session_id, location, user_agent, item_in_session,
    song, artist, length
)
with deliveries as (
    select
        ts,
        start_time,
        user_id,
        level,
        session_id,
        location,
        user_agent,
        item_in_session,
        song,
        artist,
        length,
        row_number() over (
            partition by ts, user_id, session_id, item_in_session
            order by source_key, line_number
        ) as delivery
    from {{ run_schema() }}.plays
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
from deliveries as p
left join {{ run_schema() }}.song_matches as m
    on p.song = m.title and p.artist = m.artist_name and p.length = m.duration
where p.delivery = 1;
