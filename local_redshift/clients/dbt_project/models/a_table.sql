{{ config(materialized="table", dist="song_id", sort=["song_id", "changed_at"], sort_type="compound", backup=false) }}
select song_id, title, price, changed_at from {{ ref("a_view") }}
