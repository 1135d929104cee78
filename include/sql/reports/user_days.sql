-- one row per user and day with a play, UTC
-- key: day, user_id
-- load: a view of session_days
-- late data: a late play counts for the day of its own start_time
-- columns:
--   user_id integer: Listener; key of users
--   day date: The day, UTC
--   plays bigint: Plays
--   sessions bigint: Sessions with a play that day; one that crosses midnight counts on both days
--   minutes decimal(18, 2): Length of the songs played, in minutes
--   paid_plays bigint: Plays while on level paid
select
    user_id,
    day,
    sum(plays)::bigint as plays,
    count(distinct session_id) as sessions,
    round(sum(seconds)::decimal(18, 5) / 60, 2)::decimal(18, 2) as minutes,
    sum(case when level = 'paid' then plays else 0 end)::bigint as paid_plays
from {{ reports() }}.session_days
group by user_id, day
