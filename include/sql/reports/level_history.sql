-- one row per stretch of a user's plays on one level
-- key: user_id, since
-- load: a view of level_days
-- late data: may split, lengthen or join stretches
-- columns:
--   user_id integer: Whose; key of users
--   level varchar(16): free or paid
--   since timestamp: First play on this level, UTC
--   plays bigint: Plays in the stretch
--   change varchar(16): What began it: start, upgrade (free to paid) or downgrade (paid to free)
--   until timestamp: First play on the next level, UTC, exclusive; NULL if there is none yet
with compared as (
    select
        user_id,
        level,
        day,
        stretch,
        since,
        plays,
        case
            when level <> lag(level) over (partition by user_id order by day asc, stretch asc) then 1
            else 0
        end as is_change
    from {{ reports() }}.level_days
),

numbered as (
    select
        user_id,
        level,
        since,
        plays,
        sum(is_change) over (
            partition by user_id
            order by day asc, stretch asc
            rows unbounded preceding
        ) as changes
    from compared
),

stretches as (
    select
        user_id,
        level,
        changes,
        min(since) as since,
        sum(plays)::bigint as plays
    from numbered
    group by user_id, level, changes
)

select
    user_id,
    level,
    since,
    plays,
    case when changes = 0 then 'start' when level = 'paid' then 'upgrade' else 'downgrade' end::varchar(16) as change,
    lead(since) over (partition by user_id order by changes) as until
from stretches
