-- one row per distinct start_time of the plays on the affected days
-- key: start_time
-- load: derived from plays
-- late data: a start_time belongs to its own day
drop table if exists {{ run_schema() }}.time;
create table {{ run_schema() }}.time (like {{ star() }}.time);
insert into {{ run_schema() }}.time (start_time, hour, day, week, month, year, weekday, iso_year)
with moments as (
    select distinct start_time
    from {{ run_schema() }}.plays
)

select
    start_time,
    extract(hour from start_time) as hour,
    extract(day from start_time) as day,
    extract(week from start_time) as week,
    extract(month from start_time) as month,
    extract(year from start_time) as year,
    extract(dow from start_time) as weekday,
    -- In ISO 8601, the year of a week is the year of its Thursday.
    extract(year from dateadd(day, 3, date_trunc('week', start_time))) as iso_year
from moments;
