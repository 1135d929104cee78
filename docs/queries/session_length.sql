-- How long are sessions, free and paid?
select
    level,
    count(*) as sessions,
    avg(minutes)::decimal(10, 1) as mean_minutes,
    max(minutes)::decimal(10, 1) as longest,
    avg(plays * 1.0)::decimal(10, 1) as mean_plays
from reports.sessions
group by level
order by level
