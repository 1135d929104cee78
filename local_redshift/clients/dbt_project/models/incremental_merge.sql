{{ config(materialized="incremental", incremental_strategy="merge", unique_key="song_id", on_schema_change="append_new_columns") }}
select song_id, title, changed_at{% if is_incremental() %}, 1 as added{% endif %}
from {{ ref("a_view") }}
{% if is_incremental() %}where song_id > (select max(song_id) - 1 from {{ this }}){% endif %}
