-- one row per day, hour, session, level, location and client
-- key: day, hour, user_id, session_id, level, location, user_agent
-- load: the changed days are replaced
-- late data: a late play counts for the hour of its own start_time
-- columns:
--   day date: The day, UTC
--   hour integer: Hour of the day in which the plays begin, 0 to 23, UTC
--   user_id integer: Listener; key of users
--   session_id integer: Session of the client
--   level varchar(16): Subscription at the time of the play: free or paid
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   user_agent varchar(2048): User-Agent header of the client, as delivered
--   plays bigint: Plays
--   matched_plays bigint: Plays whose song is in the song data
--   seconds decimal(18, 5): Length of the songs played, in seconds
--   started_at timestamp: Start of the first play, UTC
--   ended_at timestamp: End of the last play, to the second, UTC
select
    day,
    extract(hour from start_time)::integer as hour,
    user_id,
    session_id,
    level,
    location,
    user_agent,
    count(*) as plays,
    count(case when matched then 1 end) as matched_plays,
    sum(length)::decimal(18, 5) as seconds,
    min(start_time) as started_at,
    max(dateadd(second, round(length)::integer, start_time)) as ended_at
from {{ reports_state() }}.due_events
where page = 'NextSong'
group by day, extract(hour from start_time)::integer, user_id, session_id, level, location, user_agent
