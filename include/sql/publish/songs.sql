-- one row per song
-- load: every touched song is replaced by its candidate, or deleted with its last file
delete from {{ star() }}.songs
where song_id in (select t.song_id from {{ run_schema() }}.touched_songs as t);
insert into {{ star() }}.songs ({{ columns("songs") }})
select {{ columns("songs") }}
from {{ run_schema() }}.songs;
