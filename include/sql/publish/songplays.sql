-- one row per play
-- load: the affected days are replaced with the candidates, and the songs of repointed plays are updated
delete from {{ star() }}.songplays
using {{ run_schema() }}.affected_days as d
where
    date_trunc('day', songplays.start_time) = d.day_start
    and songplays.start_time >= (select min(a.day_start) from {{ run_schema() }}.affected_days as a)
    and songplays.start_time < (select dateadd(day, 1, max(a.day_start)) from {{ run_schema() }}.affected_days as a);
insert into {{ star() }}.songplays ({{ columns("songplays") }})
select {{ columns("songplays") }}
from {{ run_schema() }}.songplays;
update {{ star() }}.songplays
set song_id = r.song_id, artist_id = r.artist_id
from {{ run_schema() }}.repointed_songplays as r
where songplays.start_time = r.start_time and songplays.songplay_id = r.songplay_id;
