-- one row per user and day with a play, UTC
-- key: day, user_id
-- load: the changed days are made again
-- late data: counts for the day of its own start_time
-- columns:
--   user_id integer: Who listened; key of users
--   day date: The day, UTC
--   plays bigint: Plays
--   sessions bigint: Sessions with a play that day; one over midnight counts on both
--   minutes decimal(18, 2): Length of the songs played, in minutes
--   paid_plays bigint: Plays while on level paid
delete from reports.user_days
where day in (select c.day from reports_state.changes as c);
insert into reports.user_days (user_id, day, plays, sessions, minutes, paid_plays)
select
    p.user_id,
    p.day,
    count(*) as plays,
    count(distinct p.session_id) as sessions,
    (sum(p.length) / 60)::decimal(18, 2) as minutes,
    count(case when p.level = 'paid' then 1 end) as paid_plays
from reports_state.plays as p
inner join (select distinct day from reports_state.changes) as d on p.day = d.day
-- The range says the same again: a scan then skips what is before it, which a join cannot.
where
    p.day >= (select min(c.day) from reports_state.changes as c)
    and p.day <= (select max(c.day) from reports_state.changes as c)
group by p.user_id, p.day;
