-- At which hours (UTC) and on which weekdays (0 is Sunday) do people listen most?
select
    weekday,
    hour,
    plays,
    listeners,
    plays_a_day
from reports.weekday_hours
order by plays desc, weekday asc, hour asc
limit 10
