{{ config(materialized="ephemeral") }}
select song_id, title from {{ ref("a_view") }} where price > 1
