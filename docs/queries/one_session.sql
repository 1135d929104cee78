-- Which songs did a user play in one session, and on which level?
select
    p.user_id,
    u.gender,
    p.start_time,
    p.song,
    p.artist,
    p.session_id,
    p.level
from sparkify.songplays as p
inner join sparkify.users as u on p.user_id = u.user_id
where p.user_id = 26 and p.session_id = 407
order by p.start_time, p.item_in_session
