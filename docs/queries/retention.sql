-- How many of those who came first in one week come again?
select
    first_week,
    weeks_since,
    cohort,
    listeners,
    rate::decimal(5, 4) as rate
from reports.retention
order by first_week, weeks_since
