{{ config(materialized="table", dist="all") }}
select song_id, title from {{ ref("an_ephemeral") }}
