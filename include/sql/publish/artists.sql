-- one row per artist ID
-- load: each touched artist is replaced with its candidate, or deleted if no song file of the artist remains
delete from {{ star() }}.artists
where artist_id in (select t.artist_id from {{ run_schema() }}.touched_songs as t);
insert into {{ star() }}.artists ({{ columns("artists") }})
select {{ columns("artists") }}
from {{ run_schema() }}.artists;
