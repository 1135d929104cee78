-- one row per day with a play, UTC
-- key: day
-- load: a view of session_days
-- late data: counts for the day of its own start_time and the 27 after it
-- columns:
--   day date: The day, UTC
--   daily bigint: Users with a play on that day
--   weekly bigint: Users with a play in the 7 days that end with it
--   monthly bigint: Users with a play in the 28 days that end with it (whole weeks, so every month has as many Sundays)
--   stickiness decimal(5, 4): Daily by monthly: how many of a month's users come on this day, 0 to 1
--   days_known bigint: Days since the first play, this one included; below 28 the month is not whole yet
with ages as (
    {% for age in range(28) %}
        select {{ age }} as age
        {{ "union all" if not loop.last }}
    {% endfor %}
),

user_days as (
    select distinct
        day,
        user_id
    from {{ reports() }}.session_days
),

days as (
    select
        day,
        min(day) over () as first_day
    from user_days
    group by day
),

-- A day with a play counts for 28 days: each user and such day, with the age of the latest such day
active as (
    select
        d.day,
        d.first_day,
        u.user_id,
        min(a.age) as age
    from user_days as u
    cross join ages as a
    inner join days as d on u.day + a.age = d.day
    group by d.day, d.first_day, u.user_id
)

select
    day,
    count(case when age = 0 then 1 end) as daily,
    count(case when age < 7 then 1 end) as weekly,
    count(*) as monthly,
    round(count(case when age = 0 then 1 end)::decimal(18, 4) / count(*), 4)::decimal(5, 4) as stickiness,
    (day - first_day + 1)::bigint as days_known
from active
group by day, first_day
