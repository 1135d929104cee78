-- one row per day with a play, UTC
-- key: day
-- load: the changed days and the 27 after each are made again
-- late data: counts for the day of its own start_time and the 27 after it
-- columns:
--   day date: The day, UTC
--   daily bigint: Users with a play on that day
--   weekly bigint: Users with a play in the 7 days that end with it
--   monthly bigint: Users with a play in the 28 days that end with it (whole weeks, so every month has as many Sundays)
--   stickiness decimal(5, 4): Daily by monthly: how many of a month's users come on this day, 0 to 1
--   days_known bigint: Days since the first play, this one included; below 28 the month is not whole yet
create temp table ages as
select (weeks.n * 7 + days.n) as age
from (
    select 0 as n
    union all
    select 1
    union all
    select 2
    union all
    select 3
) as weeks
cross join (
    select 0 as n
    union all
    select 1
    union all
    select 2
    union all
    select 3
    union all
    select 4
    union all
    select 5
    union all
    select 6
) as days;
create temp table remade_days as
select distinct c.day + a.age as day
from reports_state.changes as c
cross join ages as a;
delete from reports.active_users
using remade_days as r
where active_users.day = r.day;
insert into reports.active_users (day, daily, weekly, monthly, stickiness, days_known)
-- A day with a play counts for 28 days: each user and such day, with the age of the latest such day
with active as (
    select
        d.day,
        u.user_id,
        min(a.age) as age
    from reports.user_days as u
    cross join ages as a
    inner join remade_days as r on r.day = u.day + a.age
    inner join reports.daily as d on r.day = d.day
    where
        u.day > (select min(m.day) - 28 from remade_days as m)
        and u.day <= (select max(m.day) from remade_days as m)
    group by d.day, u.user_id
)

select
    a.day,
    count(case when a.age = 0 then 1 end) as daily,
    count(case when a.age < 7 then 1 end) as weekly,
    count(*) as monthly,
    (count(case when a.age = 0 then 1 end) * 1.0 / count(*))::decimal(5, 4) as stickiness,
    0 as days_known
from active as a
group by a.day;
-- All rows, because an earlier first day counts for all of them. Redshift wants the target in an equality, and only that.
update reports.active_users
set days_known = k.days_known
from (
    select
        a.day,
        a.day - f.first_day + 1 as days_known
    from reports.active_users as a
    cross join (select min(day) as first_day from reports.daily) as f
    where a.days_known <> a.day - f.first_day + 1
) as k
where active_users.day = k.day;
