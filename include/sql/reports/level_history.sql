-- one row per stretch of a user's plays on one level
-- key: user_id, number
-- load: a view of level_days
-- late data: may split, lengthen or join stretches
-- columns:
--   user_id integer: Whose; key of users
--   number bigint: Of the stretch among those of the user, from 1; two may begin in the same millisecond
--   level varchar(16): free or paid
--   since timestamp: First play on this level, UTC
--   plays bigint: Plays in the stretch
--   change varchar(16): What began it: start, upgrade (free to paid) or downgrade (paid to free)
--   until timestamp: First play on the next level, UTC, exclusive; NULL if there is none yet
with numbered as (
    select
        user_id,
        level,
        since,
        plays,
        row_number() over (partition by user_id order by day asc, place asc) as number,
        row_number() over (partition by user_id, level order by day asc, place asc) as number_on_level
    from {{ reports() }}.level_days
),

stretches as (
    select
        user_id,
        level,
        min(since) as since,
        sum(plays)::bigint as plays,
        row_number() over (partition by user_id order by min(number)) as number
    from numbered
    group by user_id, level, number - number_on_level
)

select
    user_id,
    number,
    level,
    since,
    plays,
    case when number = 1 then 'start' when level = 'paid' then 'upgrade' else 'downgrade' end::varchar(16) as change,
    lead(since) over (partition by user_id order by number) as until
from stretches
