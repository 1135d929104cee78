-- one row per stretch of a user's plays on one level
-- key: user_id, since
-- load: of users with changed plays, what follows the first change is made again
-- late data: may split, lengthen or join stretches
-- columns:
--   user_id integer: Whose; key of users
--   level varchar(16): free or paid
--   since timestamp: First play on this level, UTC
--   plays bigint: Plays in the stretch
--   change varchar(16): What began it: start, upgrade (free to paid) or downgrade (paid to free)
--   until timestamp: First play on the next level, UTC, exclusive; NULL if there is none yet
-- from when on a user's stretches may differ
create temp table tails as
select
    c.user_id,
    min(c.start_time) as since,
    sum(c.change) as more_plays
from reports_state.changes as c
group by c.user_id;
create temp table tail_plays as
select
    p.user_id,
    p.level,
    p.start_time,
    p.session_id,
    p.item_in_session
from reports_state.plays as p
inner join tails as t on p.user_id = t.user_id and p.start_time >= t.since
where p.day >= (select min(c.day) from reports_state.changes as c);
-- the stretch that a tail begins in or goes on with, and how many of its plays are before the tail
create temp table open_stretches as
select
    h.user_id,
    max(case when h.since < t.since then h.level end) as level,
    min(h.since) as since,
    max(case when h.since < t.since then h.change end) as change,
    sum(h.plays) - (coalesce(max(p.plays), 0) - max(t.more_plays)) as plays
from reports.level_history as h
inner join tails as t on h.user_id = t.user_id and (h.until is null or h.until >= t.since)
left join (
    select
        user_id,
        count(*) as plays
    from tail_plays
    group by user_id
) as p on h.user_id = p.user_id
group by h.user_id;
delete from reports.level_history
using tails as t
where level_history.user_id = t.user_id and (level_history.until is null or level_history.until >= t.since);
insert into reports.level_history (user_id, level, since, plays, change, until)
with weighed as (
    select
        user_id,
        level,
        since as start_time,
        -1 as session_id,
        -1 as item_in_session,
        plays,
        change
    from open_stretches
    where plays > 0
    union all
    select
        user_id,
        level,
        start_time,
        session_id,
        item_in_session,
        1 as plays,
        null as change
    from tail_plays
),

compared as (
    select
        user_id,
        level,
        start_time,
        session_id,
        item_in_session,
        plays,
        change,
        case
            when level <> lag(level) over (
                partition by user_id order by start_time asc, session_id asc, item_in_session asc
            ) then 1
            else 0
        end as is_change
    from weighed
),

numbered as (
    select
        user_id,
        level,
        start_time,
        plays,
        change,
        sum(is_change) over (
            partition by user_id
            order by start_time asc, session_id asc, item_in_session asc
            rows unbounded preceding
        ) as stretch
    from compared
),

stretches as (
    select
        user_id,
        level,
        stretch,
        min(start_time) as since,
        sum(plays) as plays,
        max(change) as change
    from numbered
    group by user_id, level, stretch
)

select
    user_id,
    level,
    since,
    plays,
    coalesce(
        change, case when stretch = 0 then 'start' when level = 'paid' then 'upgrade' else 'downgrade' end
    ) as change,
    lead(since) over (partition by user_id order by stretch) as until
from stretches;
