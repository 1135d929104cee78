{{ config(materialized="view", bind=false) }}
select song_id, title from {{ ref("raw_songs") }}
