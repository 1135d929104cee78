-- One row per day with a play: the time spine of the metrics.
{{ config(materialized="view") }}

select distinct trunc(start_time) as day
from {{ source("sparkify", "time") }}
