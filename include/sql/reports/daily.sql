-- one row per day with a play, UTC
-- key: day
-- load: made anew after every publication
-- late data: counts for the day of its own start_time
-- columns:
--   day date: The day, UTC
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   sessions bigint: Sessions with a play
--   free_plays bigint: Plays while on level free
--   paid_plays bigint: Plays while on level paid
--   hours decimal(18, 2): Length of the songs played, in hours
--   matched_plays bigint: Plays whose song is in the catalogue
--   match_rate decimal(5, 4): Share of plays whose song is in the catalogue, 0 to 1
select
    trunc(start_time) as day,
    count(*) as plays,
    count(distinct user_id) as listeners,
    count(distinct user_id::varchar || '/' || session_id::varchar) as sessions,
    count(case when level = 'free' then 1 end) as free_plays,
    count(case when level = 'paid' then 1 end) as paid_plays,
    (sum(length) / 3600)::decimal(18, 2) as hours,
    count(song_id) as matched_plays,
    (count(song_id) * 1.0 / count(*))::decimal(5, 4) as match_rate
from {{ star() }}.songplays
group by trunc(start_time)
