-- Which songs are played most, and does the catalogue know them?
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
