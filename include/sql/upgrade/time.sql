-- from: start_time timestamp, hour integer, day integer, week integer, month integer, year integer, weekday integer
-- The year of the ISO week is added.
alter table {{ star() }}.time rename to time_before;
{% include 'create/time.sql' %}
insert into {{ star() }}.time (start_time, hour, day, week, month, year, weekday, iso_year)
select
    start_time,
    hour,
    day,
    week,
    month,
    year,
    weekday,
    extract(year from dateadd(day, 3, date_trunc('week', start_time))) as iso_year
from {{ star() }}.time_before;
drop table {{ star() }}.time_before;
