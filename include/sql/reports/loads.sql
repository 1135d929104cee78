-- one row per kind of file: what was loaded, and what was left out
-- key: kind
-- load: replaced
-- late data: none
-- columns:
--   kind varchar(16): events or songs
--   files bigint: Files loaded
--   lines bigint: Lines in them that are not blank
--   accepted bigint: Lines accepted
--   rejected bigint: Lines rejected
--   refused_files bigint: Files of which nothing is loaded
--   version bigint: Version of the star that the report tables show
--   published_at timestamp: When that version was published, UTC
with files as (
    select distinct
        kind,
        source_key,
        lines,
        accepted,
        rejected,
        0 as refused
    from {{ ops() }}.loaded_files
    where kind in ('events', 'songs')
    union all
    select
        r.kind,
        r.source_key,
        0 as lines,
        0 as accepted,
        0 as rejected,
        1 as refused
    from {{ ops() }}.refused_files as r
    left join {{ ops() }}.loaded_files as l on r.source_key = l.source_key
    where l.source_key is null
)

select
    f.kind,
    sum(1 - f.refused)::bigint as files,
    sum(f.lines)::bigint as lines,
    sum(f.accepted)::bigint as accepted,
    sum(f.rejected)::bigint as rejected,
    sum(f.refused)::bigint as refused_files,
    max(p.version) as version,
    max(p.published_at) as published_at
from files as f
cross join {{ reports_state() }}.reported as r
inner join {{ ops() }}.publish_log as p on r.version = p.version
group by f.kind
