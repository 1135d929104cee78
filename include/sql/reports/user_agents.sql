-- one row per user and User-Agent header: what `devices` is made from
-- key: user_id, user_agent
-- load: a view of session_days
-- late data: counts like any other
-- columns:
--   user_id integer: Who listened; key of users
--   user_agent varchar(2048): User-Agent header of the client, as delivered; NULL if none was
--   plays bigint: Plays
select
    user_id,
    user_agent,
    sum(plays)::bigint as plays
from {{ reports() }}.session_days
group by user_id, user_agent
