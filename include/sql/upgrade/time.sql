-- from: start_time timestamp, hour integer, day integer, week integer, month integer, year integer, weekday integer
-- The table now also has the year of the ISO week.
select
    start_time,
    hour,
    day,
    week,
    month,
    year,
    weekday,
    extract(year from dateadd(day, 3, date_trunc('week', start_time))) as iso_year
from time_before;
