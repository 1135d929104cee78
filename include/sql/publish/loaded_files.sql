-- one row per loaded file
-- load: the rows of the run's files are replaced
-- noqa: disable=LT02
delete from {{ ops() }}.loaded_files
using {{ run_schema() }}.staging_files as f
where loaded_files.source_key = f.source_key;
insert into {{ ops() }}.loaded_files (
    source_key, kind, etag, size, last_modified, file_date, first_event, last_event, lines, accepted, rejected, run_id,
    loaded_at
)
select
    f.source_key,
    f.kind,
    f.etag,
    f.size,
    f.last_modified,
    f.file_date,
    e.first_event,
    e.last_event,
    f.lines,
    f.accepted,
    f.rejected,
    p.run_id,
    getdate() as loaded_at
from {{ run_schema() }}.staging_files as f
left join (
    select
        source_key,
        min(start_time) as first_event,
        max(start_time) as last_event
    from (
        {% for source in sources.values() if source.daily -%}
        select
            source_key,
            start_time
        from {{ run_schema() }}.{{ source.staging }}
        {{ "union all" if not loop.last else "" }}
        {% endfor -%}
    ) as lines
    group by source_key
) as e on f.source_key = e.source_key
-- Do not use run_schemas here. With SERIALIZABLE isolation, this transaction must not read a table that others write without the lock.
cross join (select max(version) as version from {{ ops() }}.publish_log) as v
inner join {{ ops() }}.publish_log as p on v.version = p.version
where not f.vanished;
