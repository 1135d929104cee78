-- one row per day and period in which it is to be counted again
-- key: period, start, day
-- load: a working table, made in the transaction that publishes; read by the tables of periods
-- late data: a changed day makes its month and its week due, and whatever moves with the last day
-- columns:
--   day date: The day, UTC
--   period varchar(8): all, month, week, last_7 or last_28
--   start date: First day of the period
with days as (
    select
        d.day,
        e.first_day,
        e.last_day
    from (
        select day from {{ reports() }}.session_days
        union
        select day from {{ reports() }}.page_days
    ) as d
    cross join (
        select
            min(day) as first_day,
            max(day) as last_day
        from {{ reports() }}.session_days
    ) as e
)

select
    day,
    'all'::varchar(8) as period,
    first_day as start
from days
where first_day is not null
{% for period in ("month", "week") %}
    union all
    select
        day,
        '{{ period }}'::varchar(8) as period,
        date_trunc('{{ period }}', day)::date as start
    from days
    where date_trunc('{{ period }}', day) in (select date_trunc('{{ period }}', u.day) from {{ reports_state() }}.due_events as u)
{% endfor %}
{% for length in (7, 28) %}
    -- The days that end with the last one, and as many before.
    union all
    select
        day,
        'last_{{ length }}'::varchar(8) as period,
        last_day + 1 - {{ length }} * (1 + (last_day - day) / {{ length }}) as start
    from days
    where day > last_day - {{ 2 * length }} and day <= last_day
{% endfor %}
