-- one row per play that the report tables count
-- key: day, start_time, songplay_id
-- load: the changed plays are replaced
-- late data: belongs to the day of its own start_time
-- columns:
--   songplay_id char(32): The play; key of songplays
--   day date: Its day, UTC
--   start_time timestamp: When the play began, UTC, to the millisecond
--   user_id integer: Who listened; key of users
--   level varchar(16): Subscription at that moment: free or paid
--   session_id integer: Session of the client
--   item_in_session integer: Number of the event in its session, from 0
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   user_agent varchar(2048): User-Agent header of the client, as delivered
--   song varchar(1024): Title as the event has it
--   artist varchar(1024): Artist name as the event has it
--   length decimal(10, 5): Length of the song in seconds as the event has it
--   matched boolean: Whether its song is in the song data
delete from reports_state.plays
using reports_state.changes as c
where
    c.change = -1
    and plays.day = c.day
    and plays.start_time = c.start_time
    and plays.songplay_id = c.songplay_id;
insert into reports_state.plays (
    songplay_id, day, start_time, user_id, level, session_id, item_in_session, location, user_agent, song, artist,
    length, matched
)
select
    songplay_id,
    day,
    start_time,
    user_id,
    level,
    session_id,
    item_in_session,
    location,
    user_agent,
    song,
    artist,
    length,
    matched
from reports_state.changes
where change = 1;
