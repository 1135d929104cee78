-- one row per user and session with a play
-- key: user_id, session_id
-- load: made anew after every publication
-- late data: lengthens its session
-- columns:
--   user_id integer: Who listened; key of users
--   session_id integer: Session of the client
--   started_at timestamp: Begin of its first play, UTC
--   ended_at timestamp: End of its last play, to the second, UTC
--   plays bigint: Plays
--   minutes decimal(18, 2): From begin to end, in minutes, pauses included
--   level varchar(16): paid if any of its plays was
select
    user_id,
    session_id,
    min(start_time) as started_at,
    max(dateadd(second, length::integer, start_time)) as ended_at,
    count(*) as plays,
    (datediff(second, min(start_time), max(dateadd(second, length::integer, start_time))) / 60.0)::decimal(
        18, 2
    ) as minutes,
    max(level)::varchar(16) as level
from {{ star() }}.songplays
group by user_id, session_id
