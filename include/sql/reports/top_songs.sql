-- one row per song, by title and artist as the events have them; the 1,000 most played
-- key: rank
-- load: made again from the totals of all songs
-- late data: counts like any other
-- columns:
--   rank bigint: Place by plays, then by listeners and name, from 1
--   song varchar(1024): Title as the event has it
--   artist varchar(1024): Artist name as the event has it
--   plays bigint: Plays
--   listeners bigint: Users with a play of it
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
--   match_rate decimal(5, 4): Share of plays whose song is in the song data, 0 to 1
delete from reports.top_songs;
insert into reports.top_songs (rank, song, artist, plays, listeners, paid_plays, matched_plays, match_rate)
select
    row_number() over (order by plays desc, listeners desc, name asc, part asc) as rank,
    name as song,
    part as artist,
    plays,
    listeners,
    paid_plays,
    matched_plays,
    (matched_plays * 1.0 / plays)::decimal(5, 4) as match_rate
from reports_state.totals
where list = 'song'
order by rank asc
limit 1000;
