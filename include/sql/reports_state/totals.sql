-- one row per song, artist, location or hour of the week with a play
-- key: list, name, part
-- load: the changed tallies are added
-- late data: counts like any other
-- columns:
--   list varchar(16): song, artist, location, session (sessions by location), hour; no_location and no_session for NULL
--   name varchar(1024): Title, artist, location, or weekday
--   part varchar(1024): Artist of the title, level at the location, or hour; empty for an artist
--   plays bigint: Plays
--   listeners bigint: Users with a play; in the lists of sessions, sessions with a play
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
create temp table changed_totals as
select
    list,
    name,
    part,
    sum(plays)::bigint as plays,
    sum(listeners)::bigint as listeners,
    sum(paid_plays)::bigint as paid_plays,
    sum(matched_plays)::bigint as matched_plays
from (
    select
        t.list,
        t.name,
        t.part,
        t.plays - t.plays_before as plays,
        case when t.plays > 0 then 1 else 0 end - case when t.plays_before > 0 then 1 else 0 end as listeners,
        t.paid_plays - t.paid_before as paid_plays,
        t.matched_plays - t.matched_before as matched_plays
    from reports_state.tallies as t
    union all
    select
        o.list,
        o.name,
        o.part,
        o.plays,
        o.listeners,
        o.paid_plays,
        o.matched_plays
    from reports_state.totals as o
    inner join (
        select distinct
            list,
            name,
            part
        from reports_state.tallies
    ) as k on o.list = k.list and o.name = k.name and o.part = k.part
) as summed
group by list, name, part;
delete from reports_state.totals
using changed_totals as c
where totals.list = c.list and totals.name = c.name and totals.part = c.part;
insert into reports_state.totals (list, name, part, plays, listeners, paid_plays, matched_plays)
select
    list,
    name,
    part,
    plays,
    listeners,
    paid_plays,
    matched_plays
from changed_totals
where plays > 0;
