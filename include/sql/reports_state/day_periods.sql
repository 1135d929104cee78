-- one row per day, level and period in which the day's plays on that level are to be counted again
-- key: period, start, level, day, of_level
-- load: a working table, made in the transaction that publishes; read by the tables of periods
-- late data: a changed day makes its month and its week due, and whatever moves with the last day
-- columns:
--   day date: The day, UTC
--   of_level varchar(16): Level of the plays
--   period varchar(8): all, month, week, last_7 or last_28
--   start date: First day of the period
--   level varchar(16): all, or of_level
delete from {{ reports_state() }}.day_periods;
insert into {{ reports_state() }}.day_periods (day, of_level, period, start, level)
with days as (
    select day from {{ reports() }}.session_days
    union
    select day from {{ reports() }}.page_days
),

ends as (
    select
        min(day) as first_day,
        max(day) as last_day
    from {{ reports() }}.session_days
),

due as (
    select distinct day from {{ reports_state() }}.due_events
),

periods as (
    select
        d.day,
        'all'::varchar(8) as period,
        e.first_day as start
    from days as d
    cross join ends as e
    where e.first_day is not null
    union all
    select
        d.day,
        'month'::varchar(8) as period,
        date_trunc('month', d.day)::date as start
    from days as d
    where date_trunc('month', d.day)::date in (select date_trunc('month', u.day)::date from due as u)
    union all
    select
        d.day,
        'week'::varchar(8) as period,
        date_trunc('week', d.day)::date as start
    from days as d
    where date_trunc('week', d.day)::date in (select date_trunc('week', u.day)::date from due as u)
    union all
    -- The 7 and 28 days that end with the last one, and as many before.
    select
        d.day,
        'last_7'::varchar(8) as period,
        case when d.day > e.last_day - 7 then e.last_day - 6 else e.last_day - 13 end as start
    from days as d
    cross join ends as e
    where d.day > e.last_day - 14 and d.day <= e.last_day
    union all
    select
        d.day,
        'last_28'::varchar(8) as period,
        case when d.day > e.last_day - 28 then e.last_day - 27 else e.last_day - 55 end as start
    from days as d
    cross join ends as e
    where d.day > e.last_day - 56 and d.day <= e.last_day
),

levels as (
    select
        'free'::varchar(16) as of_level,
        'free'::varchar(16) as level
    union all
    select
        'free'::varchar(16) as of_level,
        'all'::varchar(16) as level
    union all
    select
        'paid'::varchar(16) as of_level,
        'paid'::varchar(16) as level
    union all
    select
        'paid'::varchar(16) as of_level,
        'all'::varchar(16) as level
)

select
    p.day,
    l.of_level,
    p.period,
    p.start,
    l.level
from periods as p
cross join levels as l;
