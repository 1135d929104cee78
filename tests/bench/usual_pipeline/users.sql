delete from usual.users;
insert into usual.users (user_id, first_name, last_name, gender, level)
select distinct
    userid,
    firstname,
    lastname,
    gender,
    level
from usual.staging_events
where page = 'NextSong';
