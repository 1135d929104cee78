-- one row per distinct start_time of a play
-- load: the days in scope are replaced by the candidates
delete from {{ star() }}.time
using {{ run_schema(run_id) }}.scope as d
where time.start_time >= d.scope_start and time.start_time < d.scope_end;
insert into {{ star() }}.time (start_time, hour, day, week, month, year, weekday)
select
    start_time,
    hour,
    day,
    week,
    month,
    year,
    weekday
from {{ run_schema(run_id) }}.time;
