-- one row per song
-- load: each touched song is replaced with its candidate, or deleted if no file of the song remains
delete from {{ star() }}.songs
where song_id in (select t.song_id from {{ run_schema() }}.touched_songs as t);
insert into {{ star() }}.songs ({{ columns("songs") }})
select {{ columns("songs") }}
from {{ run_schema() }}.songs;
