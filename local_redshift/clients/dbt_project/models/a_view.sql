{{ config(materialized="view") }}
select song_id, title, price, changed_at from {{ ref("raw_songs") }}
