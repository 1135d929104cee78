-- One row per play, for the metrics in metrics.yml.
{{ config(materialized="view") }}

select
    songplay_id,
    start_time,
    user_id,
    session_id,
    level,
    song_id,
    artist,
    location,
    length
from {{ source("sparkify", "songplays") }}
