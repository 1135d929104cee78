-- How many users are active per day, week and month, and how sticky is it? (the last week)
select
    day,
    daily,
    weekly,
    monthly,
    stickiness
from reports.active_users
order by day desc
limit 7
