-- How long are sessions, free and paid?
select
    level,
    count(*) as sessions,
    round(avg(minutes), 1)::decimal(10, 1) as mean_minutes,
    round(max(minutes), 1)::decimal(10, 1) as longest,
    round(avg(plays::decimal(18, 4)), 1)::decimal(10, 1) as mean_plays
from reports.sessions
group by level
order by level
