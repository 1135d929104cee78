-- one row per location and level
-- key: location, level
-- load: a view of session_days
-- late data: a late play counts like any other play
-- columns:
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   level varchar(16): Subscription at the time of the play: free or paid
--   plays bigint: Plays
--   listeners bigint: Users with a play there on that level
--   sessions bigint: Sessions with a play
--   matched_plays bigint: Plays whose song is in the song data
select
    location,
    level,
    sum(plays)::bigint as plays,
    count(distinct user_id) as listeners,
    count(distinct user_id::varchar || '/' || session_id::varchar) as sessions,
    sum(matched_plays)::bigint as matched_plays
from {{ reports() }}.session_days
group by location, level
