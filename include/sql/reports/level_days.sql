-- one row per day, listener and stretch of plays on one level
-- key: day, user_id, stretch
-- load: the changed days are replaced
-- late data: may split, lengthen or join the stretches of its day
-- columns:
--   day date: The day, UTC
--   user_id integer: Who listened; key of users
--   stretch bigint: Number of the stretch in the day, from 0
--   level varchar(16): free or paid
--   since timestamp: Begin of its first play, UTC
--   plays bigint: Plays
delete from {{ reports() }}.level_days
where day in (select u.day from {{ reports_state() }}.due_events as u);
insert into {{ reports() }}.level_days (day, user_id, stretch, level, since, plays)
with compared as (
    select
        day,
        user_id,
        level,
        start_time,
        session_id,
        item_in_session,
        case
            when level <> lag(level) over (
                partition by day, user_id order by start_time asc, session_id asc, item_in_session asc
            ) then 1
            else 0
        end as is_change
    from {{ reports_state() }}.due_events
    where page = 'NextSong'
),

numbered as (
    select
        day,
        user_id,
        level,
        start_time,
        sum(is_change) over (
            partition by day, user_id
            order by start_time asc, session_id asc, item_in_session asc
            rows unbounded preceding
        ) as stretch
    from compared
)

select
    day,
    user_id,
    stretch,
    level,
    min(start_time) as since,
    count(*) as plays
from numbered
group by day, user_id, stretch, level;
