-- one row per user and ISO week with a play
-- key: week, user_id
-- load: a view of level_days
-- late data: a late play may move its user to an earlier first week
-- columns:
--   user_id integer: Listener; key of users
--   week date: Monday of the week, UTC
--   first_week date: Monday of the week of the user's first play, UTC
--   week_before date: Monday of the user's previous week with a play; NULL in the first
--   week_after date: Monday of the user's next week with a play; NULL in the last
--   last_week date: Monday of the latest week with a play by any user
select
    user_id,
    week,
    min(week) over (partition by user_id) as first_week,
    lag(week) over (partition by user_id order by week) as week_before,
    lead(week) over (partition by user_id order by week) as week_after,
    max(week) over () as last_week
from (
    select distinct
        user_id,
        date_trunc('week', day)::date as week
    from {{ reports() }}.level_days
) as w
