-- one row per play
-- load: the days in scope are replaced by the candidates; plays of other days get their song, or lose it
delete from {{ star() }}.songplays
using {{ run_schema(run_id) }}.scope as d
where songplays.start_time >= d.scope_start and songplays.start_time < d.scope_end;
insert into {{ star() }}.songplays (
    songplay_id, start_time, user_id, level, song_id, artist_id, session_id, location, user_agent, item_in_session,
    song, artist, length
)
select
    songplay_id,
    start_time,
    user_id,
    level,
    song_id,
    artist_id,
    session_id,
    location,
    user_agent,
    item_in_session,
    song,
    artist,
    length
from {{ run_schema(run_id) }}.songplays;
update {{ star() }}.songplays
set song_id = r.song_id, artist_id = r.artist_id
from {{ run_schema(run_id) }}.repointed_songplays as r
where songplays.songplay_id = r.songplay_id;
