-- one row per weekday and hour with a play, UTC
-- key: weekday, hour
-- load: made again from the totals of all hours of the week
-- late data: counts like any other
-- columns:
--   weekday integer: Day of the week, 0 (Sunday) to 6
--   hour integer: Hour of the day, 0 to 23, UTC
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   days bigint: Days of that weekday with a play at any hour
--   plays_a_day decimal(18, 2): Plays in that hour on such a day, on average
delete from reports.weekday_hours;
insert into reports.weekday_hours (weekday, hour, plays, listeners, days, plays_a_day)
select
    h.name::integer as weekday,
    h.part::integer as hour,
    h.plays,
    h.listeners,
    d.days,
    (h.plays * 1.0 / d.days)::decimal(18, 2) as plays_a_day
from reports_state.totals as h
inner join (
    select
        extract(dow from day)::varchar as weekday,
        count(*) as days
    from reports.daily
    group by extract(dow from day)::varchar
) as d on h.name = d.weekday
where h.list = 'hour';
