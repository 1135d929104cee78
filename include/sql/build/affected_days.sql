-- one row per UTC day whose rows in the star may change
-- key: day_start
-- load: derived from the lines of the run's files, and from the published lines that these files replace
-- late data: a line affects the day of its own start_time, even if the file belongs to another day
drop table if exists {{ run_schema() }}.affected_days;
create table {{ run_schema() }}.affected_days diststyle all sortkey (day_start) as
select date_trunc('day', start_time) as day_start from {{ run_schema() }}.staging_events
union
select date_trunc('day', e.start_time) as day_start
from {{ star() }}.events as e
inner join {{ run_schema() }}.superseded_files as f on e.source_key = f.source_key
-- The join implies this condition, but a scan skips blocks only with a condition on the column of its table.
where
    e.start_time >= (select min(s.first_event) from {{ run_schema() }}.superseded_files as s)
    and e.start_time <= (select max(s.last_event) from {{ run_schema() }}.superseded_files as s);
