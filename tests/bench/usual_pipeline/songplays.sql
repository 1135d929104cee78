insert into usual.songplays (start_time, user_id, level, song_id, artist_id, session_id, location, user_agent)
select
    e.ts,
    e.userid,
    e.level,
    s.song_id,
    s.artist_id,
    e.sessionid,
    e.location,
    e.useragent
from usual.staging_events as e
left join usual.staging_songs as s on e.song = s.title and e.artist = s.artist_name and e.length = s.duration
where e.page = 'NextSong';
