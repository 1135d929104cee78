-- one row per session and level, over all time
-- key: user_id, session_id, level
-- load: a run subtracts the old values of the changed days, and adds the new ones
-- late data: a late play counts like any other play
-- columns:
--   user_id integer: Listener; key of users
--   session_id integer: Session of the client
--   level varchar(16): Subscription at the time of the play: free or paid
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
where {{ changed_days() }}
group by user_id, session_id, level
