-- one row per artist id
-- load: every touched artist is replaced by its candidate, or deleted with its last song
delete from {{ star() }}.artists
where artist_id in (select t.artist_id from {{ run_schema() }}.touched_songs as t);
insert into {{ star() }}.artists ({{ columns("artists") }})
select {{ columns("artists") }}
from {{ run_schema() }}.artists;
