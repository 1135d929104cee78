-- Who listened most on one day, in how many sessions, for how long?
select
    d.user_id,
    u.gender,
    d.day,
    d.plays,
    d.sessions,
    d.minutes
from reports.user_days as d
inner join sparkify.users as u on d.user_id = u.user_id
order by d.plays desc, d.user_id asc, d.day asc
limit 10
