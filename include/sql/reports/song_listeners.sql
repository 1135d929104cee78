-- one row per song, listener and level, over all time; a song is a title and an artist as in the events
-- key: song, artist, user_id, level
-- load: a run subtracts the old values of the changed days, and adds the new ones
-- late data: a late play counts like any other play
-- columns:
--   song varchar(1024): Title as in the event
--   artist varchar(1024): Artist name as in the event
--   user_id integer: Listener; key of users
--   level varchar(16): Subscription at the time of the play: free or paid
--   plays bigint: Plays
--   matched_plays bigint: Plays whose song is in the song data
--   seconds decimal(18, 5): Length of the songs played, in seconds
select
    song,
    artist,
    user_id,
    level,
    sum(plays)::bigint as plays,
    sum(matched_plays)::bigint as matched_plays,
    sum(seconds)::decimal(18, 5) as seconds
from {{ reports() }}.song_days
where {{ changed_days() }}
group by song, artist, user_id, level
