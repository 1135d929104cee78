-- one row per loaded file and interval loaded of it
-- load: the rows of the run's files, and of what was absent on their days, are replaced
delete from {{ ops() }}.loaded_files
using {{ run_schema(run_id) }}.staging_files as f
where loaded_files.source_key = f.source_key;
delete from {{ ops() }}.loaded_files
using {{ run_schema(run_id) }}.staging_files as f
where
    loaded_files.kind = 'absent'
    and trunc(loaded_files.interval_start) = f.file_date
    and not f.vanished;
insert into {{ ops() }}.loaded_files (
    source_key, kind, etag, size, last_modified, interval_start, interval_end, lines, accepted, rejected, first_stray,
    last_stray, run_id, loaded_at
)
select
    f.source_key,
    f.kind,
    f.etag,
    f.size,
    f.last_modified,
    w.window_start as interval_start,
    w.window_end as interval_end,
    f.lines,
    f.accepted,
    f.rejected,
    f.first_stray,
    f.last_stray,
    r.run_id,
    getdate() as loaded_at
from {{ run_schema(run_id) }}.staging_files as f
left join {{ run_schema(run_id) }}.file_windows as w on f.source_key = w.source_key and w.kind = 'events'
inner join {{ ops() }}.run_schemas as r on r.run_schema = '{{ run_schema(run_id) }}'
where not f.vanished and (f.kind = 'songs' or w.source_key is not null)
union all
select
    w.source_key,
    w.kind,
    '' as etag,
    0 as size,
    null::timestamp as last_modified,
    w.window_start as interval_start,
    w.window_end as interval_end,
    0 as lines,
    0 as accepted,
    0 as rejected,
    null::timestamp as first_stray,
    null::timestamp as last_stray,
    r.run_id,
    getdate() as loaded_at
from {{ run_schema(run_id) }}.file_windows as w
inner join {{ ops() }}.run_schemas as r on r.run_schema = '{{ run_schema(run_id) }}'
where w.kind = 'absent';
