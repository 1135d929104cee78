-- one row per listener (user or session) of a song, an artist, a location or an hour of the week
-- key: name, part, user_id, session_id, list
-- load: the changed tallies are replaced
-- late data: counts like any other
-- columns:
--   list varchar(16): song, artist, location, session (sessions by location), hour; no_location and no_session for NULL
--   name varchar(1024): Title, artist, location, or weekday
--   part varchar(1024): Artist of the title, level at the location, or hour; empty for an artist
--   user_id integer: Who listened
--   session_id integer: In which session, where sessions are counted; else -1
--   plays bigint: Plays
--   paid_plays bigint: Those of them while on level paid
--   matched_plays bigint: Those of them whose song is in the song data
delete from reports_state.listeners
using reports_state.tallies as t
where
    listeners.name = t.name
    and listeners.part = t.part
    and listeners.user_id = t.user_id
    and listeners.session_id = t.session_id
    and listeners.list = t.list
    and t.plays_before > 0;
insert into reports_state.listeners (
    list, name, part, user_id, session_id, plays, paid_plays, matched_plays
)
select
    list,
    name,
    part,
    user_id,
    session_id,
    plays,
    paid_plays,
    matched_plays
from reports_state.tallies
where plays > 0;
