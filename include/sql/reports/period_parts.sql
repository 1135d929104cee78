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
delete from {{ reports() }}.period_parts
using {{ reports_state() }}.due_periods as d
where period_parts.period = d.period and (period_parts.start = d.start or d.start is null);
insert into {{ reports() }}.period_parts (period, start, level, kind, name, counted, listeners)
with parts as (
    select
        'hour'::varchar(8) as kind,
        (extract(dow from h.day)::integer::varchar || '/' || h.hour::varchar)::varchar(1024) as name,
        h.day,
        h.level,
        h.user_id,
        h.plays
    from {{ reports() }}.hour_days as h
    union all
    select
        'state'::varchar(8) as kind,
        case
            when split_part(s.location, ', ', 2) ~ '^[A-Z][A-Z](-|$)' then left(split_part(s.location, ', ', 2), 2)
            else 'Other'
        end::varchar(1024) as name,
        s.day,
        s.level,
        s.user_id,
        s.plays
    from {{ reports() }}.session_days as s
    union all
    select
        'device'::varchar(8) as kind,
        case when a.device = 'Other' then a.os else a.device end::varchar(1024) as name,
        s.day,
        s.level,
        s.user_id,
        s.plays
    from {{ reports() }}.session_days as s
    inner join {{ reports() }}.agents as a on coalesce(s.user_agent, '') = a.user_agent
    union all
    select
        'page'::varchar(8) as kind,
        g.page::varchar(1024) as name,
        g.day,
        g.level,
        g.user_id,
        g.views as plays
    from {{ reports() }}.page_days as g
),

of_users as (
    select
        d.period,
        d.start,
        d.level,
        p.kind,
        p.name,
        p.user_id,
        sum(p.plays) as counted
    from parts as p
    inner join {{ reports_state() }}.day_periods as d on p.day = d.day and p.level = d.of_level
    group by d.period, d.start, d.level, p.kind, p.name, p.user_id
)

select
    period,
    start,
    level,
    kind,
    name,
    sum(counted)::bigint as counted,
    count(*) as listeners
from of_users
group by period, start, level, kind, name;
