{{ config(materialized="materialized_view", auto_refresh=false, dist="song_id", sort=["song_id"]) }}
select song_id, title from {{ ref("raw_songs") }}
