-- one row per day, page of a change of level, level and user
-- key: day, page, level, user_id
-- load: the changed days are replaced
-- late data: counts for its own day
-- columns:
--   day date: The day, UTC
--   page varchar(64): Upgrade, Submit Upgrade, Downgrade, Submit Downgrade or Cancel
--   level varchar(16): Subscription at that moment: free or paid
--   user_id integer: Who opened it
--   views bigint: How often
select
    day,
    page,
    level,
    user_id,
    count(*) as views
from {{ reports_state() }}.due_events
where page <> 'NextSong'
group by day, page, level, user_id
