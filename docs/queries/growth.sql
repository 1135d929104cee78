-- How many users are new in a week, return, or stay away?
select
    week,
    listeners,
    new_listeners,
    returned,
    resurrected,
    dormant
from reports.growth
order by week
