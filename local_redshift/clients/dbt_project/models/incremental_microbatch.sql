{{ config(materialized="incremental", incremental_strategy="microbatch", event_time="changed_at", batch_size="day", begin="2018-11-01", lookback=1) }}
select song_id, changed_at from {{ ref("events") }}
