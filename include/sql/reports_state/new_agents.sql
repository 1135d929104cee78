-- one row per User-Agent header that `agents` does not know yet, and the empty one, so that there is always a row
-- key: agent_id
-- load: a working table, made at the start of every run
-- late data: none
-- columns:
--   user_agent varchar(2048): The header; empty if a play has none
--   agent_id char(32): MD5 of the header
select
    n.user_agent,
    md5(n.user_agent) as agent_id
from (
    select '' as user_agent
    union
    select coalesce(c.user_agent, '') as user_agent
    from reports_state.changes as c
    {% if not remake(ti) %}
        left join reports_state.agents as a on coalesce(c.user_agent, '') = a.user_agent
        where a.user_agent is null
    {% endif %}
) as n
