-- How many rows are there?
select
    'songplays' as name,
    count(*) as counted
from sparkify.songplays
union all
select
    'songplays with their song' as name,
    count(song_id) as counted
from sparkify.songplays
union all
select
    'users' as name,
    count(*) as counted
from sparkify.users
union all
select
    'users paid' as name,
    count(case when level = 'paid' then 1 end) as counted
from sparkify.users
union all
select
    'songs' as name,
    count(*) as counted
from sparkify.songs
union all
select
    'artists' as name,
    count(*) as counted
from sparkify.artists
union all
select
    'time' as name,
    count(*) as counted
from sparkify.time
order by name asc
