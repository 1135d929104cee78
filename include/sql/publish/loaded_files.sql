-- one row per loaded file and interval loaded of it
-- load: rows of another version, and rows within the windows, give way to the run's own
delete from {{ star() }}.loaded_files
using {{ run_schema(run_id) }}.staging_files as f
where loaded_files.source_key = f.source_key and (loaded_files.etag <> f.etag or f.kind = 'songs');
delete from {{ star() }}.loaded_files
using {{ run_schema(run_id) }}.staging_files as f, {{ run_schema(run_id) }}.windows as w
where
    loaded_files.source_key = f.source_key
    and loaded_files.interval_start >= w.window_start
    and loaded_files.interval_end <= w.window_end;
delete from {{ star() }}.loaded_files
using {{ run_schema(run_id) }}.staging_files as f, {{ run_schema(run_id) }}.windows as w
where
    loaded_files.kind = 'absent'
    and trunc(loaded_files.interval_start) = f.file_date
    and loaded_files.interval_start >= w.window_start
    and loaded_files.interval_end <= w.window_end;
insert into {{ star() }}.loaded_files (
    source_key, kind, etag, size, last_modified, interval_start, interval_end, lines, accepted, rejected, run_id,
    loaded_at
)
select
    f.source_key,
    f.kind,
    f.etag,
    f.size,
    f.last_modified,
    greatest(w.window_start, f.file_date::timestamp) as interval_start,
    least(w.window_end, dateadd(day, 1, f.file_date::timestamp)) as interval_end,
    f.lines,
    f.accepted,
    f.rejected,
    r.run_id,
    getdate() as loaded_at
from {{ run_schema(run_id) }}.staging_files as f
inner join {{ run_schema(run_id) }}.windows as w
    on w.window_start < dateadd(day, 1, f.file_date::timestamp) and w.window_end > f.file_date::timestamp
inner join {{ star() }}.run_schemas as r on r.run_schema = '{{ run_schema(run_id) }}'
where f.kind = 'events' and not f.vanished
union all
select
    f.source_key,
    f.kind,
    f.etag,
    f.size,
    f.last_modified,
    null::timestamp as interval_start,
    null::timestamp as interval_end,
    f.lines,
    f.accepted,
    f.rejected,
    r.run_id,
    getdate() as loaded_at
from {{ run_schema(run_id) }}.staging_files as f
inner join {{ star() }}.run_schemas as r on r.run_schema = '{{ run_schema(run_id) }}'
where f.kind = 'songs' and not f.vanished;
