-- one row per artist, by name as the events have it; the 1,000 most played
-- key: rank
-- load: made again from the totals of all artists
-- late data: counts like any other
-- columns:
--   rank bigint: Place by plays, then by listeners and name, from 1
--   artist varchar(1024): Artist name as the event has it
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   songs bigint: Titles played
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
--   match_rate decimal(5, 4): Share of plays whose song is in the song data, 0 to 1
delete from reports.top_artists;
insert into reports.top_artists (
    rank, artist, plays, listeners, songs, paid_plays, matched_plays, match_rate
)
select
    row_number() over (order by a.plays desc, a.listeners desc, a.name asc) as rank,
    a.name as artist,
    a.plays,
    a.listeners,
    s.songs,
    a.paid_plays,
    a.matched_plays,
    (a.matched_plays * 1.0 / a.plays)::decimal(5, 4) as match_rate
from reports_state.totals as a
inner join (
    select
        part as artist,
        count(*) as songs
    from reports_state.totals
    where list = 'song'
    group by part
) as s on a.name = s.artist
where a.list = 'artist'
order by rank asc
limit 1000;
