-- How many users are active by day, week and month, and how sticky is it? (the last week)
select
    day,
    daily,
    weekly,
    monthly,
    stickiness
from reports.active_users
order by day desc
limit 7
