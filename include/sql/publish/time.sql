-- one row per distinct start_time of a play
-- load: the affected days are replaced with the candidates
delete from {{ star() }}.time
using {{ run_schema() }}.affected_days as d
where
    date_trunc('day', time.start_time) = d.day_start
    and time.start_time >= (select min(a.day_start) from {{ run_schema() }}.affected_days as a)
    and time.start_time < (select dateadd(day, 1, max(a.day_start)) from {{ run_schema() }}.affected_days as a);
insert into {{ star() }}.time ({{ columns("time") }})
select {{ columns("time") }}
from {{ run_schema() }}.time;
