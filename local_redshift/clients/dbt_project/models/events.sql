{{ config(materialized="table", event_time="changed_at") }}
select song_id, changed_at from {{ ref("raw_songs") }}
