-- one row per song, by title and artist as the events have them; the 1,000 most played
-- key: rank
-- load: made anew after every publication
-- late data: counts like any other
-- columns:
--   rank bigint: Place by plays, then by listeners and name, from 1
--   song varchar(1024): Title as the event has it
--   artist varchar(1024): Artist name as the event has it
--   plays bigint: Plays
--   listeners bigint: Users with a play of it
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the catalogue
--   match_rate decimal(5, 4): Share of plays whose song is in the catalogue, 0 to 1
select -- noqa: ST06
    row_number() over (order by plays desc, listeners desc, song asc, artist asc) as rank,
    song,
    artist,
    plays,
    listeners,
    paid_plays,
    matched_plays,
    match_rate
from (
    select
        song,
        artist,
        count(*) as plays,
        count(distinct user_id) as listeners,
        count(case when level = 'paid' then 1 end) as paid_plays,
        count(song_id) as matched_plays,
        (count(song_id) * 1.0 / count(*))::decimal(5, 4) as match_rate
    from {{ star() }}.songplays
    group by song, artist
) as counted
order by rank asc
limit 1000
