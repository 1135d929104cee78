-- one row per period and level with a play
-- key: period, start, level
-- load: the months and weeks of changed days are replaced, and whatever moves with the last day
-- late data: counts for the periods of its own day
-- columns:
--   period varchar(8): all, month, week (ISO, from Monday), last_7 or last_28 (days up to the last one with a play)
--   start date: First day of the period, UTC; of last_7 and last_28 there is the one before, too
--   level varchar(16): free, paid, or all
--   days bigint: Days with a play
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   sessions bigint: Sessions with a play
--   hours decimal(18, 2): Length of the songs played, in hours
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
delete from {{ reports() }}.period_totals
using {{ reports_state() }}.due_periods as d
where period_totals.period = d.period and (period_totals.start = d.start or d.start is null);
insert into {{ reports() }}.period_totals (
    period, start, level, days, plays, listeners, sessions, hours, paid_plays, matched_plays
)
with in_sessions as (
    select
        p.period,
        p.start,
        p.level,
        s.day,
        s.user_id,
        s.session_id,
        sum(s.plays) as plays,
        sum(case when s.level = 'paid' then s.plays else 0 end) as paid_plays,
        sum(s.matched_plays) as matched_plays,
        sum(s.seconds) as seconds
    from {{ reports() }}.session_days as s
    inner join {{ reports_state() }}.day_periods as p on s.day = p.day and s.level = p.of_level
    group by p.period, p.start, p.level, s.day, s.user_id, s.session_id
)

select
    period,
    start,
    level,
    count(distinct day) as days,
    sum(plays)::bigint as plays,
    count(distinct user_id) as listeners,
    count(distinct user_id::bigint * 2147483648 + session_id) as sessions,
    round(sum(seconds)::decimal(18, 5) / 3600, 2)::decimal(18, 2) as hours,
    sum(paid_plays)::bigint as paid_plays,
    sum(matched_plays)::bigint as matched_plays
from in_sessions
group by period, start, level;
