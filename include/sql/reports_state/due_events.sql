-- one row per play and page of a change of level on a day that changed since the last publish, and per such day without any
-- key: day, page, start_time, user_id, session_id, item_in_session
-- load: a working table, made at the start of every run. A remake takes every day of the star
-- late data: a late, corrected or deleted event is on a changed day
-- columns:
--   version bigint: Newest version of the star that the statement saw
--   day date: The day, UTC
--   page varchar(64): NextSong for a play; else the page, from the history; NULL for a day without any
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

found as (
    select
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
    -- The join has the same result, but only a condition on the column allows a scan to skip blocks.
    where s.start_time >= (select min(m.day) from due as m)
    union all
    -- Several files may have the same event with different levels. The first delivery counts, as for plays.
    select
        e.page,
        e.start_time,
        e.user_id,
        e.level,
        e.session_id,
        e.item_in_session,
        null::varchar(1024) as location,
        null::varchar(2048) as user_agent,
        null::varchar(1024) as song,
        null::varchar(1024) as artist,
        null::decimal(10, 5) as length,
        null::boolean as matched
    from {{ star() }}.events as e
    where
        e.page in ('Upgrade', 'Submit Upgrade', 'Downgrade', 'Submit Downgrade', 'Cancel')
        and e.user_id is not null
        and e.start_time >= (select min(m.day) from due as m)
    qualify row_number() over (
        partition by e.page, e.start_time, e.user_id, e.session_id, e.item_in_session
        order by e.source_key, e.line_number
    ) = 1
)

select
    n.version,
    d.day,
    f.page,
    f.start_time,
    f.user_id,
    f.level,
    f.session_id,
    f.item_in_session,
    f.location,
    f.user_agent,
    f.song,
    f.artist,
    f.length,
    f.matched
from due as d
cross join newest as n
left join found as f on trunc(f.start_time) = d.day
