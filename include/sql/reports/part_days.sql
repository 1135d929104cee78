-- one row per day, part, level and user; a part is an hour of the week, a state, a device, or a page of a change of level
-- key: day, kind, name, level, user_id
-- load: the changed days are replaced
-- late data: a late event counts for its own day
-- columns:
--   day date: The day, UTC
--   kind varchar(8): hour, state, device or page
--   name varchar(1024): Weekday (0 is Sunday) and hour, as 0/23; first state of the area, or Other; device, or system if the device is Other; page
--   level varchar(16): Subscription at the time of the event: free or paid
--   user_id integer: User who listened or opened the page
--   counted bigint: Plays; for a page, the number of times it was opened
with parts as (
    select
        s.day,
        k.kind,
        case
            when k.kind = 'hour' then extract(dow from s.day)::varchar || '/' || s.hour::varchar
            when k.kind = 'device' then case when a.device = 'Other' then a.os else a.device end
            when split_part(s.location, ', ', 2) ~ '^[A-Z][A-Z](-|$)' then left(split_part(s.location, ', ', 2), 2)
            else 'Other'
        end::varchar(1024) as name,
        s.level,
        s.user_id,
        s.plays as counted
    from {{ reports() }}.session_days as s
    inner join {{ reports() }}.agents as a on coalesce(s.user_agent, '') = a.user_agent
    cross join (
        {% for kind in ("hour", "state", "device") %}
            select '{{ kind }}'::varchar(8) as kind
            {{ "union all" if not loop.last }}
        {% endfor %}
    ) as k
    where {{ changed_days() }}
    union all
    select
        d.day,
        'page'::varchar(8) as kind,
        d.page::varchar(1024) as name,
        d.level,
        d.user_id,
        1 as counted
    from {{ reports_state() }}.due_events as d
    where d.page <> 'NextSong'
)

select
    day,
    kind,
    name,
    level,
    user_id,
    sum(counted)::bigint as counted
from parts
group by day, kind, name, level, user_id
