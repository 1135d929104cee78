-- Who went from free to paid, and who went back?
select
    h.user_id,
    u.gender,
    h.since,
    h.change,
    h.plays
from reports.level_history as h
inner join sparkify.users as u on h.user_id = u.user_id
where h.change <> 'start'
order by h.since, h.user_id
