-- How many of the users of one week return in later weeks?
select
    first_week,
    weeks_since,
    cohort,
    listeners,
    round(rate::decimal(18, 9), 4)::decimal(5, 4) as rate
from reports.retention
order by first_week, weeks_since
