-- How many users are active per day, week and month, and what is the stickiness? (the last week)
select
    day,
    daily,
    weekly,
    monthly,
    stickiness
from reports.active_users
order by day desc
limit 7
