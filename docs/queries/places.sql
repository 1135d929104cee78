-- Where do people listen most, and how many of the plays are paid?
select
    location,
    sum(plays)::bigint as plays,
    sum(case when level = 'paid' then plays else 0 end)::bigint as paid_plays
from reports.locations
group by location
order by plays desc, location asc
limit 10
