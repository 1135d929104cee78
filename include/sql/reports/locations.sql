-- one row per location and level
-- key: location, level
-- load: made again from the totals of all locations
-- late data: counts like any other
-- columns:
--   location varchar(1024): Metropolitan area of the listener, as delivered
--   level varchar(16): Subscription at the play: free or paid
--   plays bigint: Plays
--   listeners bigint: Users with a play there on that level
--   sessions bigint: Sessions with a play
--   matched_plays bigint: Plays whose song is in the song data
delete from reports.locations;
insert into reports.locations (location, level, plays, listeners, sessions, matched_plays)
select
    case when l.list = 'location' then l.name end as location,
    l.part as level,
    l.plays,
    l.listeners,
    s.listeners as sessions,
    l.matched_plays
from reports_state.totals as l
inner join reports_state.totals as s
    on
        l.name = s.name
        and l.part = s.part
        and case when l.list = 'location' then 'session' else 'no_session' end = s.list
where l.list in ('location', 'no_location');
