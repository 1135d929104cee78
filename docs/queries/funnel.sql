-- How far does a change of level get: which pages, how often, by how many?
select
    name as page,
    level,
    counted as views,
    listeners as users
from reports.period_parts
where period = 'all' and kind = 'page'
order by page, level
