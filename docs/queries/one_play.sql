-- Which is the first play with a known song, and what is known about the song?
select
    p.user_id,
    p.start_time,
    s.title as song,
    p.session_id,
    p.level,
    a.name as artist,
    a.location
from sparkify.songplays as p
inner join sparkify.songs as s on p.song_id = s.song_id
inner join sparkify.artists as a on p.artist_id = a.artist_id
where p.start_time < '2018-11-02'
order by p.start_time, p.user_id
limit 1
