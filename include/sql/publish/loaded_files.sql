-- one row per loaded file
-- load: the rows of the run's files are replaced
delete from {{ ops() }}.loaded_files
using {{ run_schema(run_id) }}.staging_files as f
where loaded_files.source_key = f.source_key;
insert into {{ ops() }}.loaded_files (
    source_key, kind, etag, size, last_modified, file_date, lines, accepted, rejected, run_id, loaded_at
)
select
    f.source_key,
    f.kind,
    f.etag,
    f.size,
    f.last_modified,
    f.file_date,
    f.lines,
    f.accepted,
    f.rejected,
    r.run_id,
    getdate() as loaded_at
from {{ run_schema(run_id) }}.staging_files as f
inner join {{ ops() }}.run_schemas as r on r.run_schema = '{{ run_schema(run_id) }}'
where not f.vanished;
