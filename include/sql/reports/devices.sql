-- one row per device, system and browser family
-- key: device, os, browser
-- load: a view of session_days and agents
-- late data: a late play counts like any other play
-- columns:
--   device varchar(256): Device family by ua-parser (Mac, iPhone, ...); Other if ua-parser names none
--   os varchar(256): Operating system family (Windows, Mac OS X, iOS, ...); Other if ua-parser names none
--   browser varchar(256): Browser family (Chrome, Safari, ...); Other if ua-parser names none
--   plays bigint: Plays
--   listeners bigint: Users with a play; a user with several devices counts for each
select
    a.device,
    a.os,
    a.browser,
    sum(s.plays)::bigint as plays,
    count(distinct s.user_id) as listeners
from {{ reports() }}.session_days as s
inner join {{ reports() }}.agents as a on coalesce(s.user_agent, '') = a.user_agent
group by a.device, a.os, a.browser
