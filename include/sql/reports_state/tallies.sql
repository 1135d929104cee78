-- one row per listener (user or session) of something that changes, with the plays before and after
-- key: list, name, part, user_id, session_id
-- load: a working table, made in the transaction that publishes; read by listeners and totals
-- late data: none
-- columns:
--   list varchar(16): song, artist, location, session (sessions by location), hour; no_location and no_session for NULL
--   name varchar(1024): Title, artist, location, or weekday
--   part varchar(1024): Artist of the title, level at the location, or hour; empty for an artist
--   user_id integer: Who listened
--   session_id integer: In which session, where sessions are counted; else -1
--   plays bigint: Plays after the change
--   paid_plays bigint: Those of them while on level paid
--   matched_plays bigint: Those of them whose song is in the song data
--   plays_before bigint: Plays before the change
--   paid_before bigint: Those of them while on level paid
--   matched_before bigint: Those of them whose song is in the song data
delete from reports_state.tallies;
insert into reports_state.tallies (
    list, name, part, user_id, session_id, plays, paid_plays, matched_plays, plays_before, paid_before, matched_before
)
with counted as (
    select
        'song' as list,
        song as name,
        artist as part,
        user_id,
        -1 as session_id,
        change,
        level,
        matched
    from reports_state.changes
    union all
    select
        'artist' as list,
        artist as name,
        '' as part,
        user_id,
        -1 as session_id,
        change,
        level,
        matched
    from reports_state.changes
    union all
    select
        case when location is null then 'no_location' else 'location' end as list,
        coalesce(location, '') as name,
        level as part,
        user_id,
        -1 as session_id,
        change,
        level,
        matched
    from reports_state.changes
    union all
    select
        case when location is null then 'no_session' else 'session' end as list,
        coalesce(location, '') as name,
        level as part,
        user_id,
        session_id,
        change,
        level,
        matched
    from reports_state.changes
    union all
    select
        'hour' as list,
        extract(dow from start_time)::varchar as name,
        extract(hour from start_time)::varchar as part,
        user_id,
        -1 as session_id,
        change,
        level,
        matched
    from reports_state.changes
),

changed as (
    select
        list,
        name,
        part,
        user_id,
        session_id,
        sum(change) as plays,
        sum(case when level = 'paid' then change else 0 end) as paid_plays,
        sum(case when matched then change else 0 end) as matched_plays
    from counted
    group by list, name, part, user_id, session_id
)

select
    c.list,
    c.name,
    c.part,
    c.user_id,
    c.session_id,
    coalesce(l.plays, 0) + c.plays as plays,
    coalesce(l.paid_plays, 0) + c.paid_plays as paid_plays,
    coalesce(l.matched_plays, 0) + c.matched_plays as matched_plays,
    coalesce(l.plays, 0) as plays_before,
    coalesce(l.paid_plays, 0) as paid_before,
    coalesce(l.matched_plays, 0) as matched_before
from changed as c
left join reports_state.listeners as l
    on
        c.name = l.name
        and c.part = l.part
        and c.user_id = l.user_id
        and c.session_id = l.session_id
        and c.list = l.list;
