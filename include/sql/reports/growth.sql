-- one row per ISO week in which users listened, or stopped listening
-- key: week
-- load: a view of user_weeks
-- late data: counts for the week of its own day, and the one after it
-- columns:
--   week date: Monday of the week, UTC
--   listeners bigint: Users with a play; the sum of the next three
--   new_listeners bigint: Those whose first play was in this week
--   returned bigint: Users who also had a play in the week before
--   resurrected bigint: Those with an earlier play, but none in the week before
--   dormant bigint: Users with a play in the week before, but none in this one
-- Each week of a user counts for itself and, if the user then stays away, for the week after it.
with weeks as (
    select
        u.week + 7 * l.later as week,
        case
            when l.later = 1 then 'dormant'
            when u.week_before is null then 'new'
            when u.week_before = u.week - 7 then 'returned'
            else 'resurrected'
        end::varchar(16) as state
    from {{ reports() }}.user_weeks as u
    cross join (
        {% for later in (0, 1) %}
            select {{ later }} as later
            {{ "union all" if not loop.last }}
        {% endfor %}
    ) as l
    where l.later = 0 or (u.week < u.last_week and coalesce(u.week_after > u.week + 7, true))
)

select
    week,
    count(case when state <> 'dormant' then 1 end) as listeners,
    count(case when state = 'new' then 1 end) as new_listeners,
    count(case when state = 'returned' then 1 end) as returned,
    count(case when state = 'resurrected' then 1 end) as resurrected,
    count(case when state = 'dormant' then 1 end) as dormant
from weeks
group by week
