-- one row per day with a play, UTC
-- key: day
-- load: made anew after every publication
-- late data: counts for the day of its own start_time and the 27 after it
-- columns:
--   day date: The day, UTC
--   daily bigint: Users with a play on that day
--   weekly bigint: Users with a play in the 7 days that end with it
--   monthly bigint: Users with a play in the 28 days that end with it (whole weeks, so every month has as many Sundays)
--   stickiness decimal(5, 4): Daily by monthly: how many of a month's users come on this day, 0 to 1
--   days_known bigint: Days since the first play, this one included; below 28 the month is not whole yet
select
    d.day,
    count(distinct case when u.day = d.day then u.user_id end) as daily,
    count(distinct case when u.day > dateadd(day, -7, d.day) then u.user_id end) as weekly,
    count(distinct u.user_id) as monthly,
    (count(distinct case when u.day = d.day then u.user_id end) * 1.0 / count(distinct u.user_id))::decimal(
        5, 4
    ) as stickiness,
    (datediff(day, min(f.first_day), d.day) + 1)::bigint as days_known
from (select distinct trunc(start_time) as day from {{ star() }}.songplays) as d
inner join (
    select distinct
        user_id,
        trunc(start_time) as day
    from {{ star() }}.songplays
) as u on u.day > dateadd(day, -28, d.day) and d.day >= u.day
cross join (select trunc(min(start_time)) as first_day from {{ star() }}.songplays) as f
group by d.day
