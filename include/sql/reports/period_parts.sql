-- one row per period, level and part of it: an hour of the week, a state, a device, or a page of a change of level
-- key: period, start, level, kind, name
-- load: the months and weeks of changed days are replaced, and whatever moves with the last day
-- late data: counts for the periods of its own day
-- columns:
--   period varchar(8): all, month, week, last_7 or last_28, as in period_totals
--   start date: First day of the period, UTC
--   level varchar(16): free, paid, or all
--   kind varchar(8): hour, state, device or page
--   name varchar(1024): Weekday (0 is Sunday) and hour, as 0/23; first state of the area, or Other; device, or else system; page
--   counted bigint: Plays; of a page, how often it was opened
--   listeners bigint: Users with a play; of a page, who opened it
-- Fewer rows, of all time above all, before they are counted once per kind.
with listened as (
    select
        d.period,
        d.start,
        s.level,
        s.user_id,
        extract(dow from s.day)::integer as weekday,
        s.hour,
        s.location,
        s.user_agent,
        sum(s.plays) as plays
    from {{ reports() }}.session_days as s
    inner join {{ reports_state() }}.day_periods as d on s.day = d.day
    group by
        d.period, d.start, s.level, s.user_id, extract(dow from s.day)::integer, s.hour, s.location, s.user_agent
),

parts as (
    select
        s.period,
        s.start,
        s.level,
        s.user_id,
        s.plays as counted,
        k.kind,
        case
            when k.kind = 'hour' then s.weekday::varchar || '/' || s.hour::varchar
            when k.kind = 'device' then case when a.device = 'Other' then a.os else a.device end
            when split_part(s.location, ', ', 2) ~ '^[A-Z][A-Z](-|$)' then left(split_part(s.location, ', ', 2), 2)
            else 'Other'
        end::varchar(1024) as name
    from listened as s
    inner join {{ reports() }}.agents as a on coalesce(s.user_agent, '') = a.user_agent
    cross join (
        {% for kind in ("hour", "state", "device") %}
            select '{{ kind }}'::varchar(8) as kind
            {{ "union all" if not loop.last }}
        {% endfor %}
    ) as k
    union all
    select
        d.period,
        d.start,
        p.level,
        p.user_id,
        p.views as counted,
        'page'::varchar(8) as kind,
        p.page::varchar(1024) as name
    from {{ reports() }}.page_days as p
    inner join {{ reports_state() }}.day_periods as d on p.day = d.day
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
