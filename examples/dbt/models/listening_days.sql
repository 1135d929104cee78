-- Plays, listeners and hours per day and level. A run replaces the days that it reads again.
{{ config(materialized="incremental", unique_key="day_level", dist="even", sort="day") }}

select
    trunc(p.start_time) || ' ' || p.level as day_level,
    trunc(p.start_time) as day,
    p.level,
    t.weekday,
    count(*) as plays,
    count(distinct p.user_id) as listeners,
    sum(p.length) / 3600 as hours
from {{ source("sparkify", "songplays") }} as p
inner join {{ source("sparkify", "time") }} as t on p.start_time = t.start_time
{% if is_incremental() %}
    where p.start_time >= (select dateadd(day, -3, max(day)) from {{ this }})
{% endif %}
group by trunc(p.start_time), p.level, t.weekday
