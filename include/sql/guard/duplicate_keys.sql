-- one row per key that two published rows would share, among the rows that the run may have changed
select
    'songplays' as table_name,
    p.songplay_id as key
from {{ star() }}.songplays as p
inner join {{ run_schema(run_id) }}.affected_days as d on p.start_time >= d.day_start and p.start_time < d.day_end
group by p.songplay_id
having count(*) > 1
union all
select
    'events' as table_name,
    e.source_key || ' line ' || e.line_number as key
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.affected_days as d on e.start_time >= d.day_start and e.start_time < d.day_end
group by e.source_key, e.line_number
having count(*) > 1
union all
select
    'time' as table_name,
    t.start_time::varchar as key
from {{ star() }}.time as t
inner join {{ run_schema(run_id) }}.affected_days as d on t.start_time >= d.day_start and t.start_time < d.day_end
group by t.start_time
having count(*) > 1
union all
select
    'users' as table_name,
    u.user_id::varchar as key
from {{ star() }}.users as u
inner join {{ run_schema(run_id) }}.users as c on u.user_id = c.user_id
group by u.user_id
having count(*) > 1
union all
select
    'songs' as table_name,
    s.song_id as key
from {{ star() }}.songs as s
inner join {{ run_schema(run_id) }}.songs as c on s.song_id = c.song_id
group by s.song_id
having count(*) > 1
union all
select
    'artists' as table_name,
    a.artist_id as key
from {{ star() }}.artists as a
inner join {{ run_schema(run_id) }}.artists as c on a.artist_id = c.artist_id
group by a.artist_id
having count(*) > 1
union all
select
    'song_files' as table_name,
    c.source_key as key
from {{ star() }}.song_files as c
inner join {{ run_schema(run_id) }}.staging_files as f on c.source_key = f.source_key
group by c.source_key
having count(*) > 1
union all
select
    'loaded_files' as table_name,
    l.source_key as key
from {{ ops() }}.loaded_files as l
inner join {{ run_schema(run_id) }}.staging_files as f on l.source_key = f.source_key
group by l.source_key
having count(*) > 1
limit 20;
