-- Which artists are played most?
select
    rank,
    artist,
    plays,
    listeners,
    songs,
    round(matched_plays::decimal(18, 4) / plays, 4) as match_rate
from reports.period_tops
where period = 'all' and level = 'all' and kind = 'artist' and rank <= 10
order by rank
