-- one row per day of each period that is due for a recount, and one for all time
-- key: period, start, day
-- load: a working table, filled in the publishing transaction, which the tables of periods read
-- late data: a changed day makes its month and week due. Periods that move with the last day, and all time, are always due
-- columns:
--   day date: A day of the period, with or without a play, UTC; NULL for all time, which is not counted from days
--   period varchar(8): all, month, week, last_7 or last_28
--   start date: First day of the period, UTC
with ends as (
    select
        min(day) as first_day,
        max(day) as last_day
    from {{ reports() }}.session_days
),

periods as (
    {% for period in ("month", "week") %}
        select distinct
            '{{ period }}'::varchar(8) as period,
            date_trunc('{{ period }}', day)::date as start,
            dateadd({{ period }}, 1, date_trunc('{{ period }}', day))::date as until
        from {{ reports_state() }}.due_events
        union all
    {% endfor %}
    -- The last 7 and 28 days, and the same number of days before each.
    {% for length in (7, 28) %}
        {% for back in (1, 2) %}
            select
                'last_{{ length }}'::varchar(8) as period,
                last_day + 1 - {{ back * length }} as start,
                last_day + 1 - {{ (back - 1) * length }} as until
            from ends
            {{ "union all" if not (loop.last and length == 28) }}
        {% endfor %}
    {% endfor %}
),

numbers as (
    {% for number in range(31) %}
        select {{ number }} as n
        {{ "union all" if not loop.last }}
    {% endfor %}
)

select
    p.start + n.n as day,
    p.period,
    p.start
from periods as p
inner join numbers as n on p.start + n.n < p.until
union all
select
    null::date as day,
    'all'::varchar(8) as period,
    first_day as start
from ends
where first_day is not null
