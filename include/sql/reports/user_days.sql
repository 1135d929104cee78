-- one row per user and day with a play, UTC
-- key: user_id, day
-- load: made anew after every publication
-- late data: counts for the day of its own start_time
-- columns:
--   user_id integer: Who listened; key of users
--   day date: The day, UTC
--   plays bigint: Plays
--   sessions bigint: Sessions with a play that day; one over midnight counts on both
--   minutes decimal(18, 2): Length of the songs played, in minutes
--   paid_plays bigint: Plays while on level paid
select
    user_id,
    trunc(start_time) as day,
    count(*) as plays,
    count(distinct session_id) as sessions,
    (sum(length) / 60)::decimal(18, 2) as minutes,
    count(case when level = 'paid' then 1 end) as paid_plays
from {{ star() }}.songplays
group by user_id, trunc(start_time)
