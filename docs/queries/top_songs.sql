-- Which songs are played most, and are they in the song data?
select
    rank,
    song,
    artist,
    plays,
    listeners,
    match_rate
from reports.top_songs
where rank <= 10
order by rank
