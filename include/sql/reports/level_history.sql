-- one row per stretch of a user's plays on one level
-- key: user_id, number
-- load: a view of level_days
-- late data: a late play may split, lengthen or join stretches
-- columns:
--   user_id integer: Listener; key of users
--   number bigint: Number of the stretch among those of the user, from 1; two may begin in the same millisecond
--   level varchar(16): free or paid
--   since timestamp: First play on this level, UTC
--   plays bigint: Plays in the stretch
--   change varchar(16): Change that began the stretch: start, upgrade (free to paid) or downgrade (paid to free)
--   until timestamp: First play on the next level, UTC, exclusive; NULL if there is none yet
with marked as (
    select
        user_id,
        day,
        place,
        level,
        since,
        plays,
        case
            when lag(level) over (partition by user_id order by day asc, place asc) = level then 0 else 1
        end as is_first
    from {{ reports() }}.level_days
),

numbered as (
    select
        user_id,
        level,
        since,
        plays,
        sum(is_first) over (partition by user_id order by day asc, place asc rows unbounded preceding) as number
    from marked
)

select
    user_id,
    number,
    level,
    min(since) as since,
    sum(plays)::bigint as plays,
    case when number = 1 then 'start' when level = 'paid' then 'upgrade' else 'downgrade' end::varchar(16) as change,
    lead(min(since)) over (partition by user_id order by number) as until
from numbered
group by user_id, number, level
