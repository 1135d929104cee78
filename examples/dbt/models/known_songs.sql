-- One row per song of the song data, with its artist and its numbers of plays and listeners.
{{ config(materialized="view") }}

select
    s.song_id,
    s.title,
    a.name as artist,
    s.year,
    count(p.songplay_id) as plays,
    count(distinct p.user_id) as listeners
from {{ source("sparkify", "songs") }} as s
inner join {{ source("sparkify", "artists") }} as a on s.artist_id = a.artist_id
left join {{ source("sparkify", "songplays") }} as p on s.song_id = p.song_id
group by s.song_id, s.title, a.name, s.year
