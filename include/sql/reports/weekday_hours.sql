-- one row per weekday and hour with a play, UTC
-- key: weekday, hour
-- load: a view of session_days
-- late data: a late play counts like any other play
-- columns:
--   weekday integer: Day of the week, 0 (Sunday) to 6
--   hour integer: Hour of the day, 0 to 23, UTC
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   days bigint: Days of that weekday with a play at any hour
--   plays_a_day decimal(18, 2): Average plays in that hour on those days
with days as (
    select
        extract(dow from day)::integer as weekday,
        count(distinct day) as days
    from {{ reports() }}.session_days
    group by extract(dow from day)::integer
)

select
    d.weekday,
    h.hour,
    sum(h.plays)::bigint as plays,
    count(distinct h.user_id) as listeners,
    max(d.days) as days,
    round(sum(h.plays)::decimal(18, 4) / max(d.days), 2)::decimal(18, 2) as plays_a_day
from {{ reports() }}.session_days as h
inner join days as d on extract(dow from h.day)::integer = d.weekday
group by d.weekday, h.hour
