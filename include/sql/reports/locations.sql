-- one row per location and level
-- key: location, level
-- load: made anew after every publication
-- late data: counts like any other
-- columns:
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   level varchar(16): Subscription at the play: free or paid
--   plays bigint: Plays
--   listeners bigint: Users with a play there on that level
--   sessions bigint: Sessions with a play
--   matched_plays bigint: Plays whose song is in the catalogue
select
    location,
    level,
    count(*) as plays,
    count(distinct user_id) as listeners,
    count(distinct user_id::varchar || '/' || session_id::varchar) as sessions,
    count(song_id) as matched_plays
from {{ star() }}.songplays
group by location, level
