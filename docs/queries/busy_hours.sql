-- At which hours (UTC) is most listened to, and on which weekday (0 is Sunday)?
select
    weekday,
    hour,
    plays,
    listeners,
    plays_a_day
from reports.weekday_hours
order by plays desc, weekday asc, hour asc
limit 10
