-- one row per day with a play, UTC
-- key: day
-- load: a view of session_days
-- late data: a late play counts for the day of its own start_time
-- columns:
--   day date: The day, UTC
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   sessions bigint: Sessions with a play
--   free_plays bigint: Plays while on level free
--   paid_plays bigint: Plays while on level paid
--   hours decimal(18, 2): Length of the songs played, in hours
--   matched_plays bigint: Plays whose song is in the song data
--   match_rate decimal(5, 4): Share of plays whose song is in the song data, 0 to 1
select
    day,
    sum(plays)::bigint as plays,
    count(distinct user_id) as listeners,
    count(distinct user_id::varchar || '/' || session_id::varchar) as sessions,
    sum(case when level = 'free' then plays else 0 end)::bigint as free_plays,
    sum(case when level = 'paid' then plays else 0 end)::bigint as paid_plays,
    round(sum(seconds)::decimal(18, 5) / 3600, 2)::decimal(18, 2) as hours,
    sum(matched_plays)::bigint as matched_plays,
    round(sum(matched_plays)::decimal(18, 4) / sum(plays), 4)::decimal(5, 4) as match_rate
from {{ reports() }}.session_days
group by day
