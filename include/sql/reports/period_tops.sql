-- one row per period, level and song, or artist, by the names that the events have; the 100 most played (1,000 of all)
-- key: period, start, level, kind, rank
-- load: the months and weeks of changed days are replaced, and whatever moves with the last day
-- late data: counts for the periods of its own day
-- columns:
--   period varchar(8): all, month, week, last_7 or last_28, as in period_totals
--   start date: First day of the period, UTC
--   level varchar(16): free, paid, or all
--   kind varchar(8): song or artist
--   rank bigint: Place by plays, then by listeners and name, from 1
--   song varchar(1024): Title as the event has it; empty for an artist
--   artist varchar(1024): Artist name as the event has it
--   plays bigint: Plays
--   listeners bigint: Users with a play of it
--   songs bigint: Titles played
--   paid_plays bigint: Plays while on level paid
--   matched_plays bigint: Plays whose song is in the song data
delete from {{ reports() }}.period_tops
using {{ reports_state() }}.due_periods as d
where period_tops.period = d.period and (period_tops.start = d.start or d.start is null);
insert into {{ reports() }}.period_tops (
    period, start, level, kind, rank, song, artist, plays, listeners, songs, paid_plays, matched_plays
)
with heard as (
    select
        p.period,
        p.start,
        p.level,
        s.song,
        s.artist,
        s.user_id,
        sum(s.plays) as plays,
        sum(case when s.level = 'paid' then s.plays else 0 end) as paid_plays,
        sum(s.matched_plays) as matched_plays
    from {{ reports() }}.song_days as s
    inner join {{ reports_state() }}.day_periods as p on s.day = p.day and s.level = p.of_level
    where p.period <> 'all'
    group by p.period, p.start, p.level, s.song, s.artist, s.user_id
    union all
    select
        p.period,
        p.start,
        p.level,
        s.song,
        s.artist,
        s.user_id,
        s.plays,
        case when s.level = 'paid' then s.plays else 0 end as paid_plays,
        s.matched_plays
    from {{ reports() }}.song_listeners as s
    inner join (
        select distinct
            period,
            start,
            level,
            of_level
        from {{ reports_state() }}.day_periods
        where period = 'all'
    ) as p on s.level = p.of_level
),

counted as (
    select
        period,
        start,
        level,
        'song'::varchar(8) as kind,
        song,
        artist,
        sum(plays)::bigint as plays,
        count(distinct user_id) as listeners,
        count(distinct song) as songs,
        sum(paid_plays)::bigint as paid_plays,
        sum(matched_plays)::bigint as matched_plays
    from heard
    group by period, start, level, song, artist
    union all
    select
        period,
        start,
        level,
        'artist'::varchar(8) as kind,
        ''::varchar(1024) as song,
        artist,
        sum(plays)::bigint as plays,
        count(distinct user_id) as listeners,
        count(distinct song) as songs,
        sum(paid_plays)::bigint as paid_plays,
        sum(matched_plays)::bigint as matched_plays
    from heard
    group by period, start, level, artist
),

ranked as (
    select
        period,
        start,
        level,
        kind,
        row_number() over (
            partition by period, start, level, kind
            order by plays desc, listeners desc, song asc, artist asc
        ) as rank,
        song,
        artist,
        plays,
        listeners,
        songs,
        paid_plays,
        matched_plays
    from counted
)

select
    period,
    start,
    level,
    kind,
    rank,
    song,
    artist,
    plays,
    listeners,
    songs,
    paid_plays,
    matched_plays
from ranked
where rank <= case when period = 'all' then 1000 else 100 end;
