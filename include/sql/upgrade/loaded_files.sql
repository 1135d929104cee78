-- from: source_key varchar(1024), kind varchar(16), etag varchar(64), size bigint, last_modified timestamp
-- from: interval_start timestamp, interval_end timestamp, lines integer, accepted integer, rejected integer
-- from: first_stray timestamp, last_stray timestamp, run_id varchar(256), loaded_at timestamp
-- The table now has one row per file instead of one row per file and part of a day. The ETag of a partially loaded file is
-- empty, so that the file is due and its lines are replaced. Rows of absent days are removed.
select
    f.source_key,
    f.kind,
    case when f.kind = 'songs' or f.loaded_seconds = 86400 then f.etag else '' end as etag,
    f.size,
    f.last_modified,
    f.file_date,
    e.first_event,
    e.last_event,
    f.lines,
    f.accepted,
    f.rejected,
    f.run_id,
    f.loaded_at
from (
    select
        source_key,
        kind,
        max(etag) as etag,
        max(size) as size,
        max(last_modified) as last_modified,
        trunc(min(interval_start)) as file_date,
        sum(datediff(second, interval_start, interval_end)) as loaded_seconds,
        max(lines) as lines,
        max(accepted) as accepted,
        max(rejected) as rejected,
        max(run_id) as run_id,
        max(loaded_at) as loaded_at
    from loaded_files_before
    where kind <> 'absent'
    group by source_key, kind
) as f
left join (
    select
        source_key,
        min(start_time) as first_event,
        max(start_time) as last_event
    from {{ star() }}.events
    group by source_key
) as e on f.source_key = e.source_key;
