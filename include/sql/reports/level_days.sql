-- one row per day, listener and stretch of plays on one level
-- key: day, user_id, place
-- load: the changed days are replaced
-- late data: a late play may split, lengthen or join the stretches of its day
-- columns:
--   day date: The day, UTC
--   user_id integer: Listener; key of users
--   place bigint: Number of the stretch's first play among the plays of the user on that day, from 1
--   level varchar(16): free or paid
--   since timestamp: Start of the first play of the stretch, UTC
--   plays bigint: Plays in the stretch
with numbered as (
    select
        day,
        user_id,
        level,
        start_time,
        row_number() over (
            partition by day, user_id order by start_time asc, session_id asc, item_in_session asc
        ) as place,
        row_number() over (
            partition by day, user_id, level order by start_time asc, session_id asc, item_in_session asc
        ) as place_on_level
    from {{ reports_state() }}.due_events
    where page = 'NextSong'
)

-- Within a stretch, both numbers increase by one from play to play, so their difference identifies the stretch.
select
    day,
    user_id,
    min(place) as place,
    level,
    min(start_time) as since,
    count(*) as plays
from numbered
group by day, user_id, level, place - place_on_level
