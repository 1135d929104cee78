-- one row per period, level and part; a part is an hour of the week, a state, a device, or a page of a change of level
-- key: period, start, level, kind, name
-- load: the months and weeks of changed days are replaced, and so are all periods that end with the last day
-- late data: a late event counts for the periods of its own day
-- columns:
--   period varchar(8): all, month, week, last_7 or last_28, as in period_totals
--   start date: First day of the period, UTC
--   level varchar(16): free, paid, or all
--   kind varchar(8): hour, state, device or page
--   name varchar(1024): Weekday (0 is Sunday) and hour, as 0/23; first state of the area, or Other; device, or system if the device is Other; page
--   counted bigint: Plays; for a page, the number of times it was opened
--   listeners bigint: Users with a play; for a page, users who opened it
with parts as (
    {% for aggregate, joined in (("part_days", "d.day = p.day"), ("part_listeners", "p.period = 'all'")) %}
        select
            p.period,
            p.start,
            d.kind,
            d.name,
            d.level,
            d.user_id,
            d.counted
        from {{ reports() }}.{{ aggregate }} as d
        inner join {{ reports_state() }}.day_periods as p on {{ joined }}
        {{ "union all" if not loop.last }}
    {% endfor %}
)

select
    period,
    start,
    coalesce(level, 'all')::varchar(16) as level,
    kind,
    name,
    sum(counted)::bigint as counted,
    count(distinct user_id) as listeners
from parts
group by period, start, kind, name, rollup (level)
