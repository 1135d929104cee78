-- one row per period and level with a play
-- key: period, start, level
-- load: the months and weeks of changed days are replaced, and so are all periods that end with the last day
-- late data: a late play counts for the periods of its own day
-- columns:
--   period varchar(8): all, month, week (ISO, from Monday), last_7 or last_28 (days up to the last one with a play)
--   start date: First day of the period, UTC; last_7 and last_28 also have a row for the period before
--   level varchar(16): free, paid, or all
--   days bigint: Days with a play
--   plays bigint: Plays
--   listeners bigint: Users with a play
--   sessions bigint: Sessions with a play
--   hours decimal(18, 2): Length of the songs played, in hours
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
with heard as (
    {% for aggregate, day, joined in (
        ("session_days", "s.day", "s.day = p.day"), ("session_plays", "null::date", "p.period = 'all'")
    ) %}
        select
            p.period,
            p.start,
            s.level,
            {{ day }} as day,
            s.user_id,
            s.session_id,
            s.plays,
            -- The CASE is not in the aggregate below, because AWS does not document the value of a ROLLUP column there.
            case when s.level = 'paid' then s.plays else 0 end as paid_plays,
            s.matched_plays,
            s.seconds
        from {{ reports() }}.{{ aggregate }} as s
        inner join {{ reports_state() }}.day_periods as p on {{ joined }}
        {{ "union all" if not loop.last }}
    {% endfor %}
),

counted as (
    select
        period,
        start,
        coalesce(level, 'all')::varchar(16) as level,
        count(distinct day) as days,
        sum(plays)::bigint as plays,
        count(distinct user_id) as listeners,
        count(distinct user_id::bigint * 2147483648 + session_id) as sessions,
        round(sum(seconds)::decimal(18, 5) / 3600, 2)::decimal(18, 2) as hours,
        sum(paid_plays)::bigint as paid_plays,
        sum(matched_plays)::bigint as matched_plays
    from heard
    group by period, start, rollup (level)
),

-- Each day is in one month, so the days of the months add up. The table has only the months that are not due.
months as (
    select
        m.level,
        sum(m.days)::bigint as days
    from (
        {% for table in ("counted", reports() ~ ".period_totals") %}
            select
                level,
                days
            from {{ table }}
            where period = 'month'
            {{ "union all" if not loop.last }}
        {% endfor %}
    ) as m
    group by m.level
)

select
    c.period,
    c.start,
    c.level,
    case when c.period = 'all' then m.days else c.days end as days,
    c.plays,
    c.listeners,
    c.sessions,
    c.hours,
    c.paid_plays,
    c.matched_plays
from counted as c
inner join months as m on c.level = m.level
