-- one row per period, level, and song or artist as named in the events: the 100 most played, or 1,000 over all time and levels
-- key: period, start, level, kind, rank
-- load: the months and weeks of changed days are replaced, and so are all periods that end with the last day
-- late data: a late play counts for the periods of its own day
-- columns:
--   period varchar(8): all, month, week, last_7 or last_28, as in period_totals
--   start date: First day of the period, UTC
--   level varchar(16): free, paid, or all
--   kind varchar(8): song or artist
--   rank bigint: Rank by plays, then by listeners and name, from 1
--   song varchar(1024): Title as in the event; empty for an artist
--   artist varchar(1024): Artist name as in the event
--   plays bigint: Plays
--   listeners bigint: Users who played it
--   songs bigint: Distinct titles played
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
with heard as (
    {% for aggregate, joined in (("song_days", "s.day = p.day"), ("song_listeners", "p.period = 'all'")) %}
        select
            p.period,
            p.start,
            s.level,
            s.song,
            s.artist,
            s.user_id,
            s.plays,
            -- The CASE is not in the aggregate below, because AWS does not document the value of a ROLLUP column there.
            s.song as title,
            case when s.level = 'paid' then s.plays else 0 end as paid_plays,
            s.matched_plays
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
        case when grouping(song) = 0 then 'song' else 'artist' end::varchar(8) as kind,
        coalesce(song, '')::varchar(1024) as song,
        artist,
        sum(plays)::bigint as plays,
        count(distinct user_id) as listeners,
        count(distinct title) as songs,
        sum(paid_plays)::bigint as paid_plays,
        sum(matched_plays)::bigint as matched_plays
    from heard
    group by period, start, artist, rollup (song), rollup (level)
)

select
    c.period,
    c.start,
    c.level,
    c.kind,
    row_number() over (
        partition by c.period, c.start, c.level, c.kind
        order by c.plays desc, c.listeners desc, c.song asc, c.artist asc
    ) as rank,
    c.song,
    c.artist,
    c.plays,
    c.listeners,
    c.songs,
    c.paid_plays,
    c.matched_plays
from counted as c
qualify row_number() over (
    partition by c.period, c.start, c.level, c.kind
    order by c.plays desc, c.listeners desc, c.song asc, c.artist asc
) <= case when c.period = 'all' and c.level = 'all' then 1000 else 100 end
