-- one row per song, listener and level, over all time; songs by title and artist as the events have them
-- key: song, artist, user_id, level
-- load: the difference that the changed days make is added, before song_days holds them
-- late data: counts like any other
-- columns:
--   song varchar(1024): Title as the event has it
--   artist varchar(1024): Artist name as the event has it
--   user_id integer: Who listened; key of users
--   level varchar(16): Subscription at the play: free or paid
--   plays bigint: Plays
--   matched_plays bigint: Plays whose song is in the song data
drop table if exists changed_listeners;
create temp table changed_listeners as
select
    c.song,
    c.artist,
    c.user_id,
    c.level,
    sum(c.plays)::bigint as plays,
    sum(c.matched_plays)::bigint as matched_plays
from (
    select
        d.song,
        d.artist,
        d.user_id,
        d.level,
        1 as plays,
        case when d.matched then 1 else 0 end as matched_plays
    from {{ reports_state() }}.due_events as d
    where d.page = 'NextSong'
    union all
    select
        s.song,
        s.artist,
        s.user_id,
        s.level,
        -s.plays as plays,
        -s.matched_plays as matched_plays
    from {{ reports() }}.song_days as s
    where s.day in (select u.day from {{ reports_state() }}.due_events as u)
) as c
group by c.song, c.artist, c.user_id, c.level
having sum(c.plays) <> 0 or sum(c.matched_plays) <> 0;
merge into {{ reports() }}.song_listeners
using changed_listeners as c
    on
        song_listeners.song = c.song
        and song_listeners.artist = c.artist
        and song_listeners.user_id = c.user_id
        and song_listeners.level = c.level
when matched then
    update set
        plays = song_listeners.plays + c.plays,
        matched_plays = song_listeners.matched_plays + c.matched_plays
when not matched then
    insert (song, artist, user_id, level, plays, matched_plays)
    values (c.song, c.artist, c.user_id, c.level, c.plays, c.matched_plays);
delete from {{ reports() }}.song_listeners
where plays = 0;
