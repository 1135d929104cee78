{{ config(materialized="table") }}
select song_id::integer as song_id, title::varchar(40) as title from {{ ref("a_view") }}
