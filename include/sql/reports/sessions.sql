-- one row per user and session with a play
-- key: user_id, session_id
-- load: the sessions of changed plays are made again
-- late data: lengthens its session
-- columns:
--   user_id integer: Who listened; key of users
--   session_id integer: Session of the client
--   started_at timestamp: Begin of its first play, UTC
--   ended_at timestamp: End of its last play, to the second, UTC
--   plays bigint: Plays
--   minutes decimal(18, 2): From begin to end, in minutes, pauses included
--   level varchar(16): paid if any of its plays was
-- days on which a changed session has or had a play
create temp table changed_sessions as
select
    s.user_id,
    s.session_id,
    min(s.first_day) as first_day,
    max(s.last_day) as last_day
from (
    select
        c.user_id,
        c.session_id,
        c.day as first_day,
        c.day as last_day
    from reports_state.changes as c
    union all
    select
        o.user_id,
        o.session_id,
        trunc(o.started_at) as first_day,
        trunc(o.ended_at) as last_day
    from reports.sessions as o
    inner join (
        select distinct
            user_id,
            session_id
        from reports_state.changes
    ) as k on o.user_id = k.user_id and o.session_id = k.session_id
) as s
group by s.user_id, s.session_id;
delete from reports.sessions
using changed_sessions as c
where sessions.user_id = c.user_id and sessions.session_id = c.session_id;
insert into reports.sessions (user_id, session_id, started_at, ended_at, plays, minutes, level)
select
    s.user_id,
    s.session_id,
    s.started_at,
    s.ended_at,
    s.plays,
    (datediff(second, s.started_at, s.ended_at) / 60.0)::decimal(18, 2) as minutes,
    s.level
from (
    select
        p.user_id,
        p.session_id,
        min(p.start_time) as started_at,
        max(dateadd(second, p.length::integer, p.start_time)) as ended_at,
        count(*) as plays,
        max(p.level) as level
    from reports_state.plays as p
    inner join changed_sessions as c on p.user_id = c.user_id and p.session_id = c.session_id
    where
        p.day >= (select min(m.first_day) from changed_sessions as m)
        and p.day <= (select max(m.last_day) from changed_sessions as m)
    group by p.user_id, p.session_id
) as s;
