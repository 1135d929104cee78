-- one row per user and User-Agent header, from which `devices` is derived
-- key: user_id, user_agent
-- load: a view of session_days
-- late data: a late play counts like any other play
-- columns:
--   user_id integer: Listener; key of users
--   user_agent varchar(2048): User-Agent header of the client, as delivered; NULL if a play has none
--   plays bigint: Plays
select
    user_id,
    user_agent,
    sum(plays)::bigint as plays
from {{ reports() }}.session_days
group by user_id, user_agent
