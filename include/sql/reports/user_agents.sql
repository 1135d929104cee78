-- one row per user and User-Agent header: what `devices` is made from
-- key: user_id, user_agent
-- load: the users with changed plays are made again
-- late data: counts like any other
-- columns:
--   user_id integer: Who listened; key of users
--   user_agent varchar(2048): User-Agent header of the client, as delivered; NULL if none was
--   plays bigint: Plays
create temp table changed_user_agents as
select
    a.user_id,
    a.user_agent,
    sum(a.plays)::bigint as plays
from (
    select
        c.user_id,
        c.user_agent,
        c.change as plays
    from reports_state.changes as c
    union all
    select
        o.user_id,
        o.user_agent,
        o.plays
    from reports.user_agents as o
    inner join (select distinct user_id from reports_state.changes) as k on o.user_id = k.user_id
) as a
group by a.user_id, a.user_agent;
delete from reports.user_agents
where user_id in (select c.user_id from reports_state.changes as c);
insert into reports.user_agents (user_id, user_agent, plays)
select
    user_id,
    user_agent,
    plays
from changed_user_agents
where plays > 0;
