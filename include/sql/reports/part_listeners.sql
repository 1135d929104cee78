-- one row per part, level and user, over all time; the parts are those of part_days
-- key: kind, name, level, user_id
-- load: a run subtracts the old values of the changed days, and adds the new ones
-- late data: a late event counts like any other event
-- columns:
--   kind varchar(8): hour, state, device or page
--   name varchar(1024): Weekday (0 is Sunday) and hour, as 0/23; first state of the area, or Other; device, or system if the device is Other; page
--   level varchar(16): Subscription at the time of the event: free or paid
--   user_id integer: User who listened or opened the page
--   counted bigint: Plays; for a page, the number of times it was opened
select
    kind,
    name,
    level,
    user_id,
    sum(counted)::bigint as counted
from {{ reports() }}.part_days
where {{ changed_days() }}
group by kind, name, level, user_id
