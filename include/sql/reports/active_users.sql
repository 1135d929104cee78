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
        lag(day) over (partition by user_id order by day asc) as day_before,
        lead(day) over (partition by user_id order by day asc) as day_after
    from (
        select distinct
            day,
            user_id
        from {{ reports() }}.session_days
    ) as d
),

-- A user starts to count on an active day, unless an earlier one still counts, and stops 7 (or 28) days after the last one
changes as (
    select
        day,
        1 as daily,
        case when day_before > day - 7 then 0 else 1 end as weekly,
        case when day_before > day - 28 then 0 else 1 end as monthly
    from user_days
    union all
    select
        day + 7 as day,
        0 as daily,
        -1 as weekly,
        0 as monthly
    from user_days
    where coalesce(day_after >= day + 7, true)
    union all
    select
        day + 28 as day,
        0 as daily,
        0 as weekly,
        -1 as monthly
    from user_days
    where coalesce(day_after >= day + 28, true)
),

days as (
    select
        day,
        sum(daily)::bigint as daily,
        sum(weekly) as weekly,
        sum(monthly) as monthly
    from changes
    group by day
),

counted as (
    select
        day,
        daily,
        (sum(weekly) over (order by day asc rows unbounded preceding))::bigint as weekly,
        (sum(monthly) over (order by day asc rows unbounded preceding))::bigint as monthly,
        min(day) over () as first_day
    from days
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
