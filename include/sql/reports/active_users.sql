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
with user_days as (
    select
        day,
        lead(day) over (partition by user_id order by day asc) as day_after
    from (
        select distinct
            day,
            user_id
        from {{ reports() }}.session_days
    ) as d
),

-- A user counts from an active day until the next one, which counts again, but not for more than 7 (or 28) days
changes as (
    select
        day,
        1 as daily,
        1 as weekly,
        1 as monthly
    from user_days
    union all
    select
        least(coalesce(day_after, day + 7), day + 7) as day,
        0 as daily,
        -1 as weekly,
        0 as monthly
    from user_days
    union all
    select
        least(coalesce(day_after, day + 28), day + 28) as day,
        0 as daily,
        0 as weekly,
        -1 as monthly
    from user_days
),

counted as (
    select
        day,
        sum(daily)::bigint as daily,
        (sum(sum(weekly)) over (order by day asc rows unbounded preceding))::bigint as weekly,
        (sum(sum(monthly)) over (order by day asc rows unbounded preceding))::bigint as monthly,
        min(day) over () as first_day
    from changes
    group by day
)

select
    day,
    daily,
    weekly,
    monthly,
    round(daily::decimal(18, 4) / monthly, 4)::decimal(5, 4) as stickiness,
    (day - first_day + 1)::bigint as days_known
from counted
where daily > 0
