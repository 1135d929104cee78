-- one row per ISO week in which users listened, or stopped to
-- key: week
-- load: a view of user_weeks
-- late data: counts for the week of its own day, and the one after it
-- columns:
--   week date: Monday of the week, UTC
--   listeners bigint: Users with a play; the sum of the next three
--   new_listeners bigint: Those whose first play was in this week
--   returned bigint: Those with a play in the week before, too
--   resurrected bigint: Those with an earlier play, but none in the week before
--   dormant bigint: Users with a play in the week before, but none in this one
with weeks as (
    select
        week,
        case
            when week_before is null then 'new'
            when week_before = week - 7 then 'returned'
            else 'resurrected'
        end::varchar(16) as state
    from {{ reports() }}.user_weeks
    union all
    select
        week + 7 as week,
        'dormant'::varchar(16) as state
    from {{ reports() }}.user_weeks
    where week < last_week and (week_after is null or week_after > week + 7)
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
