-- one row per day, session, level, location and client
-- key: day, user_id, session_id, level, location, user_agent
-- load: the changed days are replaced
-- late data: counts for the day of its own start_time
-- columns:
--   day date: The day, UTC
--   user_id integer: Who listened; key of users
--   session_id integer: Session of the client
--   level varchar(16): Subscription at the play: free or paid
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   user_agent varchar(2048): User-Agent header of the client, as delivered
--   plays bigint: Plays
--   matched_plays bigint: Plays whose song is in the song data
--   seconds decimal(18, 5): Length of the songs played, in seconds
--   started_at timestamp: Begin of the first play, UTC
--   ended_at timestamp: End of the last play, to the second, UTC
delete from {{ reports() }}.session_days
where day in (select u.day from {{ reports_state() }}.due_events as u);
insert into {{ reports() }}.session_days (
    day, user_id, session_id, level, location, user_agent, plays, matched_plays, seconds, started_at, ended_at
)
select
    day,
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
group by day, user_id, session_id, level, location, user_agent;
