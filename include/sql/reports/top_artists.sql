-- one row per artist as named in the events: the 1,000 most played
-- key: rank
-- load: a view of period_tops
-- late data: a late play counts like any other play
-- columns:
--   rank bigint: Rank by plays, then by listeners and name, from 1
--   artist varchar(1024): Artist name as in the event
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   songs bigint: Distinct titles played
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
--   match_rate decimal(5, 4): Share of plays whose song is in the song data, 0 to 1
select
    rank,
    artist,
    plays,
    listeners,
    songs,
    paid_plays,
    matched_plays,
    round(matched_plays::decimal(18, 4) / plays, 4)::decimal(5, 4) as match_rate
from {{ reports() }}.period_tops
where period = 'all' and level = 'all' and kind = 'artist'
