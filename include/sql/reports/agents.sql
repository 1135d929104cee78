-- one row per User-Agent header of a play, and one for plays without a header
-- key: user_agent
-- load: new headers are added
-- late data: none
-- columns:
--   user_agent varchar(2048): The header; empty if a play has none
--   device varchar(256): Device family by ua-parser (Mac, iPhone, ...); Other if ua-parser names none
--   os varchar(256): Operating system family (Windows, Mac OS X, iOS, ...); Other if ua-parser names none
--   browser varchar(256): Browser family (Chrome, Safari, ...); Other if ua-parser names none
insert into {{ reports() }}.agents (user_agent, device, os, browser)
select
    n.user_agent,
    f.device,
    f.os,
    f.browser
from {{ reports_state() }}.new_agents as n
inner join {{ reports_state() }}.new_families as f on n.agent_id = f.agent_id
left join {{ reports() }}.agents as a on n.user_agent = a.user_agent
where a.user_agent is null;
