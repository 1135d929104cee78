-- Who is new in a week, who comes back, and who stays away?
select
    week,
    listeners,
    new_listeners,
    returned,
    resurrected,
    dormant
from reports.growth
order by week
