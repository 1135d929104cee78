-- How many plays have a known song, on the best and worst days?
select
    d.day,
    d.plays,
    d.matched_plays,
    d.match_rate
from reports.daily as d
inner join (
    select
        min(match_rate) as worst,
        max(match_rate) as best
    from reports.daily
) as ends on d.match_rate in (ends.worst, ends.best)
order by d.day
