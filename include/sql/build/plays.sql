-- one row per delivered line of a play on the affected days, from all files
-- key: source_key, line_number
-- load: derived from the staged lines, and from the published lines of other files
-- late data: a play belongs to the day of its own start_time
drop table if exists {{ run_schema() }}.plays;
create table {{ run_schema() }}.plays distkey (start_time) sortkey (start_time) as
select {{ columns("events", "s") }}
from {{ run_schema() }}.staging_events as s
where s.page = 'NextSong'
union all
select {{ columns("events", "e") }}
from {{ star() }}.events as e
inner join {{ run_schema() }}.affected_days as d on date_trunc('day', e.start_time) = d.day_start
left join {{ run_schema() }}.staging_files as f on e.source_key = f.source_key
where
    e.page = 'NextSong'
    and f.source_key is null
    -- The join implies this condition, but a scan skips blocks only with a condition on the column of its table.
    and e.start_time >= (select min(a.day_start) from {{ run_schema() }}.affected_days as a)
    and e.start_time < (select dateadd(day, 1, max(a.day_start)) from {{ run_schema() }}.affected_days as a);
