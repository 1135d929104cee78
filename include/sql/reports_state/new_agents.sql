-- one row per User-Agent header that is not in `agents` yet, and one for the empty header, so that there is always a row
-- key: agent_id
-- load: a working table, created at the start of every run
-- late data: none
-- columns:
--   user_agent varchar(2048): The header; empty if a play has none
--   agent_id char(32): MD5 of the header
select
    n.user_agent,
    md5(n.user_agent) as agent_id
from (
    select ''::varchar(2048) as user_agent
    union
    select coalesce(d.user_agent, '') as user_agent
    from {{ reports_state() }}.due_events as d
    {% if not remake(ti) %}
        left join {{ reports() }}.agents as a on coalesce(d.user_agent, '') = a.user_agent
        where a.user_agent is null
    {% endif %}
) as n
