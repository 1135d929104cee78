{{ config(materialized="table") }}
select title, sum(price) as total from {{ ref("a_view") }} group by title
