-- one row per UTC day whose rows change
-- key: day_start
-- load: derived
-- late data: a line of another day than its file's affects its own day
drop table if exists {{ run_schema(run_id) }}.affected_days;
create table {{ run_schema(run_id) }}.affected_days (
    day_start timestamp not null sortkey,
    day_end timestamp not null
) diststyle all;
insert into {{ run_schema(run_id) }}.affected_days (day_start, day_end)
with days as (
    select date_trunc('day', start_time) as day_start from {{ run_schema(run_id) }}.staging_events
    union
    select date_trunc('day', start_time) as day_start from {{ run_schema(run_id) }}.superseded_events
)

select
    day_start,
    dateadd(day, 1, day_start) as day_end
from days;
