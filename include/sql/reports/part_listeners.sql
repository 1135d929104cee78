-- one row per part of the plays, level and user, over all time; parts as in part_days
-- key: kind, name, level, user_id
-- load: a run subtracts the old values of the changed days, and adds the new ones
-- late data: counts like any other
-- columns:
--   kind varchar(8): hour, state, device or page
--   name varchar(1024): Weekday (0 is Sunday) and hour, as 0/23; first state of the area, or Other; device, or else system; page
--   level varchar(16): Subscription at that moment: free or paid
--   user_id integer: Who listened, or opened the page
--   counted bigint: Plays; of a page, how often it was opened
select
    kind,
    name,
    level,
    user_id,
    sum(counted)::bigint as counted
from {{ reports() }}.part_days
where
    day in (select d.day from {{ reports_state() }}.due_events as d)
    -- IN says the same, but a scan can skip only what a comparison of the column leaves out.
    and day >= (select min(d.day) from {{ reports_state() }}.due_events as d)
group by kind, name, level, user_id
