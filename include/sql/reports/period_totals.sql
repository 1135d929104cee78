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
select
    p.period,
    p.start,
    coalesce(s.level, 'all')::varchar(16) as level,
    count(distinct s.day) as days,
    sum(s.plays)::bigint as plays,
    count(distinct s.user_id) as listeners,
    count(distinct s.user_id::bigint * 2147483648 + s.session_id) as sessions,
    round(sum(s.seconds)::decimal(18, 5) / 3600, 2)::decimal(18, 2) as hours,
    sum(case when s.level = 'paid' then s.plays else 0 end)::bigint as paid_plays,
    sum(s.matched_plays)::bigint as matched_plays
from {{ reports() }}.session_days as s
inner join {{ reports_state() }}.day_periods as p on s.day = p.day
group by p.period, p.start, rollup (s.level)
