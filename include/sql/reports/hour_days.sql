-- one row per day, hour, level and listener
-- key: day, hour, level, user_id
-- load: the changed days are replaced
-- late data: counts for the hour of its own start_time
-- columns:
--   day date: The day, UTC
--   hour integer: Hour of the day, 0 to 23, UTC
--   level varchar(16): Subscription at the play: free or paid
--   user_id integer: Who listened; key of users
--   plays bigint: Plays
delete from {{ reports() }}.hour_days
where day in (select u.day from {{ reports_state() }}.due_events as u);
insert into {{ reports() }}.hour_days (day, hour, level, user_id, plays)
select
    day,
    extract(hour from start_time)::integer as hour,
    level,
    user_id,
    count(*) as plays
from {{ reports_state() }}.due_events
where page = 'NextSong'
group by day, extract(hour from start_time)::integer, level, user_id;
