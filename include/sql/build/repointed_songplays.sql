-- one row per published play outside the affected days whose song is added, changed or deleted by the run's song files
-- key: songplay_id
-- load: derived
-- late data: none
drop table if exists {{ run_schema() }}.repointed_songplays;
create table {{ run_schema() }}.repointed_songplays sortkey (start_time) as
select
    p.songplay_id,
    p.start_time,
    m.song_id,
    m.artist_id
from {{ star() }}.songplays as p
inner join {{ run_schema() }}.song_matches as m
    on p.song = m.title and p.artist = m.artist_name and p.length = m.duration
-- Exclude the affected days, because the candidates replace their plays, and a corrected play may have another song.
left join {{ run_schema() }}.affected_days as d on date_trunc('day', p.start_time) = d.day_start
where
    m.touched
    and d.day_start is null
    and (coalesce(p.song_id, '') <> coalesce(m.song_id, '') or coalesce(p.artist_id, '') <> coalesce(m.artist_id, ''));
