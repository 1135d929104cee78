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
with weeks as (
    select
        week,
        count(*) as listeners,
        count(case when week_before is null then 1 end) as new_listeners,
        count(case when week_before = week - 7 then 1 end) as returned,
        count(case when week_before < week - 7 then 1 end) as resurrected,
        count(case when week < last_week and coalesce(week_after > week + 7, true) then 1 end) as dormant_after
    from {{ reports() }}.user_weeks
    group by week
)

-- A week without any play has only dormant users.
select
    week,
    sum(listeners)::bigint as listeners,
    sum(new_listeners)::bigint as new_listeners,
    sum(returned)::bigint as returned,
    sum(resurrected)::bigint as resurrected,
    sum(dormant)::bigint as dormant
from (
    select
        week,
        listeners,
        new_listeners,
        returned,
        resurrected,
        0 as dormant
    from weeks
    union all
    select
        week + 7 as week,
        0 as listeners,
        0 as new_listeners,
        0 as returned,
        0 as resurrected,
        dormant_after as dormant
    from weeks
    where dormant_after > 0
) as w
group by week
