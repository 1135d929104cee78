-- one row per session and level, over all time
-- key: user_id, session_id, level
-- load: what the changed days held is taken off, and what they hold is added
-- late data: counts like any other
-- columns:
--   user_id integer: Who listened; key of users
--   session_id integer: Session of the client
--   level varchar(16): Subscription at the play: free or paid
--   plays bigint: Plays
--   matched_plays bigint: Plays whose song is in the song data
--   seconds decimal(18, 5): Length of the songs played, in seconds
select
    user_id,
    session_id,
    level,
    sum(plays)::bigint as plays,
    sum(matched_plays)::bigint as matched_plays,
    sum(seconds)::decimal(18, 5) as seconds
from {{ reports() }}.session_days
where day in (select d.day from {{ reports_state() }}.due_events as d)
group by user_id, session_id, level
