-- How many users reach each page of a level change, and how often?
select
    name as page,
    level,
    counted as views,
    listeners as users
from reports.period_parts
where period = 'all' and kind = 'page'
order by page, level
