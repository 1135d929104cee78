-- one row per play that the report tables count and should not (change -1), or should and do not (change 1)
-- key: songplay_id, change
-- load: a working table, made at the start of every run; a remake counts every play of the star
-- late data: a late, corrected or deleted play is a change of its own day; one whose song changed is two changes
-- columns:
--   songplay_id char(32): The play
--   day date: Its day, UTC
--   start_time timestamp: When the play began, UTC, to the millisecond
--   user_id integer: Who listened; key of users
--   level varchar(16): Subscription at that moment: free or paid
--   session_id integer: Session of the client
--   item_in_session integer: Number of the event in its session, from 0
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   user_agent varchar(2048): User-Agent header of the client, as delivered
--   song varchar(1024): Title as the event has it
--   artist varchar(1024): Artist name as the event has it
--   length decimal(10, 5): Length of the song in seconds as the event has it
--   matched boolean: Whether its song is in the song data
--   change integer: 1 for a play to count, -1 for one to count no longer
with compared as (
    select
        1 as change,
        s.songplay_id,
        trunc(s.start_time) as day,
        s.start_time,
        s.user_id,
        s.level,
        s.session_id,
        s.item_in_session,
        s.location,
        s.user_agent,
        s.song,
        s.artist,
        s.length,
        s.song_id is not null as matched
    from {{ star() }}.songplays as s
    {% if not remake(ti) %}
        inner join (
            select distinct n.day
            from {{ ops() }}.changed_days as n
            where n.version > (select max(r.version) from reports_state.reported as r)
        ) as d on s.start_time >= d.day and s.start_time < d.day + 1
        union all
        select
            -1 as change,
            p.songplay_id,
            p.day,
            p.start_time,
            p.user_id,
            p.level,
            p.session_id,
            p.item_in_session,
            p.location,
            p.user_agent,
            p.song,
            p.artist,
            p.length,
            p.matched
        from reports_state.plays as p
        inner join (
            select distinct n.day
            from {{ ops() }}.changed_days as n
            where n.version > (select max(r.version) from reports_state.reported as r)
        ) as d on p.day = d.day
    {% endif %}
)

select
    c.songplay_id,
    c.day,
    c.start_time,
    c.user_id,
    c.level,
    c.session_id,
    c.item_in_session,
    c.location,
    c.user_agent,
    c.song,
    c.artist,
    c.length,
    c.matched,
    sum(c.change)::integer as change
from compared as c
group by
    c.songplay_id, c.day, c.start_time, c.user_id, c.level, c.session_id, c.item_in_session, c.location, c.user_agent,
    c.song, c.artist, c.length, c.matched
having sum(c.change) <> 0
