-- one row per distinct start_time of a play
-- load: the affected days are replaced by the candidates
delete from {{ star() }}.time
using {{ run_schema() }}.affected_days as d
where time.start_time >= d.day_start and time.start_time < d.day_end;
insert into {{ star() }}.time ({{ columns("time") }})
select {{ columns("time") }}
from {{ run_schema() }}.time;
