-- one row per first week and week since, up to the last week with a play
-- key: first_week, weeks_since
-- load: a view of user_weeks
-- late data: a late play may move a user to an earlier first week
-- columns:
--   first_week date: Monday of the ISO week of a user's first play, UTC
--   weeks_since bigint: Weeks after that week; 0 is the week itself
--   cohort bigint: Users whose first play was in that first week
--   listeners bigint: Users of the cohort with a play in this week
--   rate double precision: Listeners divided by cohort, 0 to 1
with digits as (
    {% for digit in range(10) %}
        select {{ digit }} as n
        {{ "union all" if not loop.last }}
    {% endfor %}
),

came as (
    select
        first_week,
        (week - first_week) / 7 as weeks_since,
        count(*) as listeners,
        max((last_week - first_week) / 7) as weeks
    from {{ reports() }}.user_weeks
    group by first_week, (week - first_week) / 7
),

-- A week without a play also has a row, with 0 listeners.
numbers as (
    select ones.n + 10 * tens.n + 100 * hundreds.n + 1000 * thousands.n as n
    from digits as ones
    cross join digits as tens
    cross join digits as hundreds
    cross join digits as thousands
)

select
    c.first_week,
    n.n::bigint as weeks_since,
    c.listeners as cohort,
    coalesce(a.listeners, 0)::bigint as listeners,
    coalesce(a.listeners, 0)::double precision / c.listeners as rate
from came as c
inner join numbers as n on c.weeks >= n.n
left join came as a on c.first_week = a.first_week and n.n = a.weeks_since
-- The listeners of a first week are its whole cohort.
where c.weeks_since = 0
