-- One row per play: what the metrics are measured on.
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
