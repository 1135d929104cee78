-- one row per weekday and hour with a play, UTC
-- key: weekday, hour
-- load: made anew after every publication
-- late data: counts like any other
-- columns:
--   weekday integer: Day of the week, 0 (Sunday) to 6
--   hour integer: Hour of the day, 0 to 23, UTC
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   days bigint: Days of that weekday with a play at any hour
--   plays_a_day decimal(18, 2): Plays in that hour on such a day, on average
select
    h.weekday,
    h.hour,
    h.plays,
    h.listeners,
    d.days,
    (h.plays * 1.0 / d.days)::decimal(18, 2) as plays_a_day
from (
    select
        t.weekday,
        t.hour,
        count(*) as plays,
        count(distinct p.user_id) as listeners
    from {{ star() }}.songplays as p
    inner join {{ star() }}.time as t on p.start_time = t.start_time
    group by t.weekday, t.hour
) as h
inner join (
    select
        weekday,
        count(distinct trunc(start_time)) as days
    from {{ star() }}.time
    group by weekday
) as d on h.weekday = d.weekday
