-- one row per stretch of a user's plays on one level
-- key: user_id, since
-- load: made anew after every publication
-- late data: may split, lengthen or join stretches
-- columns:
--   user_id integer: Whose; key of users
--   level varchar(16): free or paid
--   since timestamp: First play on this level, UTC
--   plays bigint: Plays in the stretch
--   change varchar(16): What began it: start, upgrade (free to paid) or downgrade (paid to free)
--   until timestamp: First play on the next level, UTC, exclusive; NULL if there is none yet
select
    user_id,
    level,
    since,
    plays,
    cast(case when stretch = 0 then 'start' when level = 'paid' then 'upgrade' else 'downgrade' end as varchar(16)) as change,
    lead(since) over (partition by user_id order by stretch) as until
from (
    select
        user_id,
        level,
        stretch,
        min(start_time) as since,
        count(*) as plays
    from (
        select
            user_id,
            level,
            start_time,
            sum(is_change) over (
                partition by user_id
                order by start_time asc, session_id asc, item_in_session asc
                rows unbounded preceding
            ) as stretch
        from (
            select
                user_id,
                level,
                start_time,
                session_id,
                item_in_session,
                case
                    when level <> lag(level) over (
                        partition by user_id order by start_time asc, session_id asc, item_in_session asc
                    ) then 1
                    else 0
                end as is_change
            from {{ star() }}.songplays
        ) as compared
    ) as numbered
    group by user_id, level, stretch
) as stretches
