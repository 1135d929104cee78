-- How much was played in each month, and by whom?
select
    start as month,
    level,
    plays,
    listeners,
    sessions,
    hours
from reports.period_totals
where period = 'month'
order by start, level
