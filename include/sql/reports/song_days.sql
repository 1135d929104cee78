-- one row per day, song, listener, level and location; a song is a title and an artist as in the events
-- key: day, song, artist, user_id, level, location
-- load: the changed days are replaced
-- late data: a late play counts for the day of its own start_time
-- columns:
--   day date: The day, UTC
--   song varchar(1024): Title as in the event
--   artist varchar(1024): Artist name as in the event
--   user_id integer: Listener; key of users
--   level varchar(16): Subscription at the time of the play: free or paid
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   plays bigint: Plays
--   matched_plays bigint: Plays whose song is in the song data
--   seconds decimal(18, 5): Length of the songs played, in seconds
select
    day,
    song,
    artist,
    user_id,
    level,
    location,
    count(*) as plays,
    count(case when matched then 1 end) as matched_plays,
    sum(length)::decimal(18, 5) as seconds
from {{ reports_state() }}.due_events
where page = 'NextSong'
group by day, song, artist, user_id, level, location
