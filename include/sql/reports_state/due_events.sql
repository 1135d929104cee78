-- one row per play of a day that changed since the tables were last published, per page of a change of level on such a
-- day, and per such day, with NULL for all but day and version
-- key: day, page, start_time, user_id, session_id, item_in_session
-- load: a working table, made at the start of every run; a remake takes every day of the star
-- late data: a late, corrected or deleted event is on a changed day
-- columns:
--   version bigint: Newest version of the star that the statement saw
--   day date: The day, UTC
--   page varchar(64): NextSong for a play; else the page, from the history
--   start_time timestamp: Time of the event, UTC
--   user_id integer: Who
--   level varchar(16): Subscription at that moment: free or paid
--   session_id integer: Session of the client
--   item_in_session integer: Number of the event in its session, from 0
--   location varchar(1024): Metropolitan area, as delivered
--   user_agent varchar(2048): User-Agent header, as delivered
--   song varchar(1024): Title
--   artist varchar(1024): Artist name
--   length decimal(10, 5): Length of the song in seconds
--   matched boolean: Whether its song is in the song data
with newest as (
    select max(version) as version from {{ ops() }}.publish_log
),

due as (
    {% if remake(ti) %}
        select distinct trunc(e.start_time) as day from {{ star() }}.events as e
    {% else %}
        select distinct c.day
        from {{ ops() }}.changed_days as c
        where c.version > (select max(r.version) from {{ reports_state() }}.reported as r)
    {% endif %}
),

-- One event may be in several files.
pages as (
    select distinct
        e.page,
        e.start_time,
        e.user_id,
        e.level,
        e.session_id,
        e.item_in_session
    from {{ star() }}.events as e
    where
        e.page in ('Upgrade', 'Submit Upgrade', 'Downgrade', 'Submit Downgrade', 'Cancel')
        and e.user_id is not null
)

select
    n.version,
    d.day,
    'NextSong'::varchar(64) as page,
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
inner join due as d on trunc(s.start_time) = d.day
cross join newest as n
-- The range says the same again: a scan then skips what is before it, which a join cannot.
where s.start_time >= (select min(m.day) from due as m)
union all
select
    n.version,
    d.day,
    p.page,
    p.start_time,
    p.user_id,
    p.level,
    p.session_id,
    p.item_in_session,
    null::varchar(1024) as location,
    null::varchar(2048) as user_agent,
    null::varchar(1024) as song,
    null::varchar(1024) as artist,
    null::decimal(10, 5) as length,
    null::boolean as matched
from pages as p
inner join due as d on trunc(p.start_time) = d.day
cross join newest as n
where p.start_time >= (select min(m.day) from due as m)
union all
select
    n.version,
    d.day,
    null::varchar(64) as page,
    null::timestamp as start_time,
    null::integer as user_id,
    null::varchar(16) as level,
    null::integer as session_id,
    null::integer as item_in_session,
    null::varchar(1024) as location,
    null::varchar(2048) as user_agent,
    null::varchar(1024) as song,
    null::varchar(1024) as artist,
    null::decimal(10, 5) as length,
    null::boolean as matched
from due as d
cross join newest as n
