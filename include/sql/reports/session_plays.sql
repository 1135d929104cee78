-- one row per session, over all time
-- key: user_id, session_id
-- load: a run subtracts the old values of the changed days, and adds the new ones
-- late data: a late play counts like any other play
-- columns:
--   user_id integer: Listener; key of users
--   session_id integer: Session of the client
--   free_plays bigint: Plays while on level free
--   paid_plays bigint: Plays while on level paid
select
    user_id,
    session_id,
    sum(case when level = 'free' then plays else 0 end)::bigint as free_plays,
    sum(case when level = 'paid' then plays else 0 end)::bigint as paid_plays
from {{ reports() }}.session_days
where
    day in (select d.day from {{ reports_state() }}.due_events as d)
    -- Redundant with IN, but a scan can skip blocks only by a comparison of its column.
    and day >= (select min(d.day) from {{ reports_state() }}.due_events as d)
group by user_id, session_id
