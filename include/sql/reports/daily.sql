-- one row per day with a play, UTC
-- key: day
-- load: the changed days are made again
-- late data: counts for the day of its own start_time
-- columns:
--   day date: The day, UTC
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   sessions bigint: Sessions with a play
--   free_plays bigint: Plays while on level free
--   paid_plays bigint: Plays while on level paid
--   hours decimal(18, 2): Length of the songs played, in hours
--   matched_plays bigint: Plays whose song is in the song data
--   match_rate decimal(5, 4): Share of plays whose song is in the song data, 0 to 1
delete from reports.daily
where day in (select c.day from reports_state.changes as c);
insert into reports.daily (
    day, plays, listeners, sessions, free_plays, paid_plays, hours, matched_plays, match_rate
)
select
    p.day,
    count(*) as plays,
    count(distinct p.user_id) as listeners,
    count(distinct p.user_id::varchar || '/' || p.session_id::varchar) as sessions,
    count(case when p.level = 'free' then 1 end) as free_plays,
    count(case when p.level = 'paid' then 1 end) as paid_plays,
    (sum(p.length) / 3600)::decimal(18, 2) as hours,
    count(case when p.matched then 1 end) as matched_plays,
    (count(case when p.matched then 1 end) * 1.0 / count(*))::decimal(5, 4) as match_rate
from reports_state.plays as p
inner join (select distinct day from reports_state.changes) as d on p.day = d.day
-- The range says the same again: a scan then skips what is before it, which a join cannot.
where
    p.day >= (select min(c.day) from reports_state.changes as c)
    and p.day <= (select max(c.day) from reports_state.changes as c)
group by p.day;
