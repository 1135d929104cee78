-- Which artists are played most?
select
    rank,
    artist,
    plays,
    listeners,
    songs,
    match_rate
from reports.top_artists
where rank <= 10
order by rank
