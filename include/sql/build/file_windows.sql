-- one row per file and interval as the ledger will have it, for the days of the run's log files
-- key: source_key, window_start
-- load: derived from the ledger as it is when the run publishes, so that a file is never loaded at two versions
-- late data: none
drop table if exists {{ run_schema(run_id) }}.file_windows;
create table {{ run_schema(run_id) }}.file_windows (
    source_key varchar(1024) not null,
    kind varchar(16) not null,
    window_start timestamp not null sortkey,
    window_end timestamp not null,
    rewritten boolean not null
) diststyle all;
insert into {{ run_schema(run_id) }}.file_windows (source_key, kind, window_start, window_end, rewritten)
with days as (
    select
        source_key,
        etag,
        file_date,
        vanished,
        file_date::timestamp as day_start,
        dateadd(day, 1, file_date::timestamp) as day_end
    from {{ run_schema(run_id) }}.staging_files
    where kind = 'events'
),

present_days as (
    select distinct file_date
    from days
    where not vanished
),

-- the time that the run does not publish
gaps as (
    select
        coalesce(lag(window_end) over (order by window_start), timestamp '0001-01-01') as gap_start,
        window_start as gap_end
    from {{ run_schema(run_id) }}.windows
    union all
    select
        coalesce(max(window_end), timestamp '0001-01-01') as gap_start,
        timestamp '9999-12-31' as gap_end
    from {{ run_schema(run_id) }}.windows
)

-- the run's own windows
select
    d.source_key,
    'events' as kind,
    greatest(w.window_start, d.day_start) as window_start,
    least(w.window_end, d.day_end) as window_end,
    true as rewritten
from days as d
inner join {{ run_schema(run_id) }}.windows as w on d.day_end > w.window_start and d.day_start < w.window_end
where not d.vanished
union all
-- what is loaded of these files beside the windows: rewritten if the run read another version, or if the file vanished
select
    l.source_key,
    'events' as kind,
    greatest(l.interval_start, g.gap_start) as window_start,
    least(l.interval_end, g.gap_end) as window_end,
    l.etag <> d.etag as rewritten
from {{ ops() }}.loaded_files as l
inner join days as d on l.source_key = d.source_key
inner join gaps as g on l.interval_start < g.gap_end and l.interval_end > g.gap_start
where l.kind = 'events' and not d.vanished
union all
select
    l.source_key,
    'events' as kind,
    l.interval_start as window_start,
    l.interval_end as window_end,
    true as rewritten
from {{ ops() }}.loaded_files as l
inner join days as d on l.source_key = d.source_key
where l.kind = 'events' and d.vanished
union all
-- what is still absent of these days
select
    l.source_key,
    'absent' as kind,
    greatest(l.interval_start, g.gap_start) as window_start,
    least(l.interval_end, g.gap_end) as window_end,
    false as rewritten
from {{ ops() }}.loaded_files as l
inner join gaps as g on l.interval_start < g.gap_end and l.interval_end > g.gap_start
inner join present_days as d on trunc(l.interval_start) = d.file_date
where l.kind = 'absent';
