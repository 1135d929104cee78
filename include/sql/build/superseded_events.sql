-- one row per published event that the run replaces
-- key: source_key, line_number
-- load: derived; the events of the run's log files in the rewritten windows, and their strays (of another day than the file's)
-- late data: none
drop table if exists {{ run_schema(run_id) }}.superseded_events;
create table {{ run_schema(run_id) }}.superseded_events (
    source_key varchar(1024) not null,
    line_number integer not null,
    start_time timestamp not null sortkey
);
insert into {{ run_schema(run_id) }}.superseded_events (source_key, line_number, start_time)
with strays as (
    select
        l.source_key,
        min(l.first_stray) as first_stray,
        max(l.last_stray) as last_stray
    from {{ ops() }}.loaded_files as l
    inner join {{ run_schema(run_id) }}.staging_files as f on l.source_key = f.source_key
    where l.first_stray is not null
    group by l.source_key
)
select
    e.source_key,
    e.line_number,
    e.start_time
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.file_windows as w
    on e.source_key = w.source_key and e.start_time >= w.window_start and e.start_time < w.window_end
where w.rewritten and trunc(e.start_time) = e.file_date
union all
select
    e.source_key,
    e.line_number,
    e.start_time
from {{ star() }}.events as e
inner join strays as s
    on e.source_key = s.source_key and e.start_time >= s.first_stray and e.start_time <= s.last_stray
where trunc(e.start_time) <> e.file_date;
