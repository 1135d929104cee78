-- one row per accepted line or document of the loaded files of a source: events, song_files
-- load: the rows of the run's files replace the rows of the versions that were loaded before
-- noqa: disable=LT02
{% if source.daily -%}
delete from {{ star() }}.{{ source.history }}
using {{ run_schema() }}.superseded_files as f
where
    {{ source.history }}.source_key = f.source_key
    and {{ source.history }}.start_time >= (select min(s.first_event) from {{ run_schema() }}.superseded_files as s)
    and {{ source.history }}.start_time <= (select max(s.last_event) from {{ run_schema() }}.superseded_files as s);
{% else -%}
delete from {{ star() }}.{{ source.history }}
using {{ run_schema() }}.staging_files as f
where {{ source.history }}.source_key = f.source_key;
{% endif -%}
insert into {{ star() }}.{{ source.history }} ({{ columns(source.history) }})
select {{ columns(source.history) }}
from {{ run_schema() }}.{{ source.staging }};
