-- one row per UTC day whose rows change
-- key: day_start
-- load: derived from the lines of the run's files, and from the published lines that they replace
-- late data: a line of another day than its file's affects its own day
drop table if exists {{ run_schema() }}.affected_days;
create table {{ run_schema() }}.affected_days diststyle all sortkey (day_start) as
select
    day_start,
    dateadd(day, 1, day_start) as day_end
from (
    select date_trunc('day', start_time) as day_start from {{ run_schema() }}.staging_events
    union
    select date_trunc('day', e.start_time) as day_start
    from {{ star() }}.events as e
    inner join {{ ops() }}.loaded_files as l
        on e.source_key = l.source_key and e.start_time >= l.first_event and e.start_time <= l.last_event
    inner join {{ run_schema() }}.staging_files as f on l.source_key = f.source_key
) as days;
