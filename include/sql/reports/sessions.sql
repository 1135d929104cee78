-- one row per user and session with a play
-- key: user_id, session_id
-- load: a view of session_days
-- late data: a late play is added to its session
-- columns:
--   user_id integer: Listener; key of users
--   session_id integer: Session of the client
--   started_at timestamp: Start of the first play, UTC
--   ended_at timestamp: End of the last play, to the second, UTC
--   plays bigint: Plays
--   minutes decimal(18, 2): Duration in minutes, including pauses
--   level varchar(16): paid if any play was on level paid, otherwise free
select
    user_id,
    session_id,
    min(started_at) as started_at,
    max(ended_at) as ended_at,
    sum(plays)::bigint as plays,
    round(datediff(second, min(started_at), max(ended_at))::decimal(18, 4) / 60, 2)::decimal(18, 2) as minutes,
    max(level)::varchar(16) as level
from {{ reports() }}.session_days
group by user_id, session_id
