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
-- those that are there already, with their plays so far
insert into changed_listeners (song, artist, user_id, level, plays, matched_plays)
select
    l.song,
    l.artist,
    l.user_id,
    l.level,
    l.plays,
    l.matched_plays
from {{ reports() }}.song_listeners as l
inner join changed_listeners as c
    on l.song = c.song and l.artist = c.artist and l.user_id = c.user_id and l.level = c.level;
delete from {{ reports() }}.song_listeners
using changed_listeners as c
where
    song_listeners.song = c.song
    and song_listeners.artist = c.artist
    and song_listeners.user_id = c.user_id
    and song_listeners.level = c.level;
insert into {{ reports() }}.song_listeners (song, artist, user_id, level, plays, matched_plays)
select
    song,
    artist,
    user_id,
    level,
    sum(plays)::bigint as plays,
    sum(matched_plays)::bigint as matched_plays
from changed_listeners
group by song, artist, user_id, level
having sum(plays) > 0;
