-- Which songs are played most, and are they in the song data?
select
    rank,
    song,
    artist,
    plays,
    listeners,
    round(matched_plays::decimal(18, 4) / plays, 4) as match_rate
from reports.period_tops
where period = 'all' and level = 'all' and kind = 'song' and rank <= 10
order by rank
