-- one row per first week and week since, up to the last week with a play
-- key: first_week, weeks_since
-- load: the weeks from the first changed one on are made again
-- late data: may move a user to an earlier first week
-- columns:
--   first_week date: Monday of the ISO week of a user's first play, UTC
--   weeks_since bigint: Weeks after that week; 0 is the week itself
--   cohort bigint: Users whose first play was in that first week
--   listeners bigint: Those of them with a play in this week
--   rate double precision: Listeners by cohort, 0 to 1
delete from reports.retention
where
    first_week + (7 * weeks_since)::integer
    >= (select date_trunc('week', min(c.day))::date from reports_state.changes as c);
insert into reports.retention (first_week, weeks_since, cohort, listeners, rate)
with remade as (
    select
        c.first_week,
        l.last_week
    from (select date_trunc('week', min(day))::date as first_week from reports_state.changes) as c
    cross join (select date_trunc('week', max(day))::date as last_week from reports.daily) as l
),

digits as (
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
    union all
    select 7
    union all
    select 8
    union all
    select 9
),

-- A week without any play is a row as well, with 0 listeners.
weeks as (
    select (r.first_week + 7 * (ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n)) as week
    from remade as r
    cross join digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
    where r.first_week + 7 * (ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n) <= r.last_week
),

users as (
    select
        user_id,
        date_trunc('week', since)::date as first_week
    from reports.level_history
    where change = 'start'
),

cohorts as (
    select
        first_week,
        count(*) as cohort
    from users
    group by first_week
),

came as (
    select
        u.first_week,
        date_trunc('week', d.day)::date as week,
        count(distinct u.user_id) as listeners
    from reports.user_days as d
    inner join users as u on d.user_id = u.user_id
    where d.day >= (select r.first_week from remade as r)
    group by u.first_week, date_trunc('week', d.day)::date
)

select
    c.first_week,
    (w.week - c.first_week) / 7 as weeks_since,
    c.cohort,
    coalesce(a.listeners, 0) as listeners,
    coalesce(a.listeners, 0)::double precision / c.cohort as rate
from cohorts as c
inner join weeks as w on c.first_week <= w.week
left join came as a on c.first_week = a.first_week and w.week = a.week;
