-- one row per delivery of a play on the affected days, from whatever file
-- key: source_key, line_number
-- load: derived; the new events, and the published ones that stay
-- late data: a play belongs to the day of its own start_time
drop table if exists {{ run_schema(run_id) }}.plays;
create table {{ run_schema(run_id) }}.plays (like {{ star() }}.events);
insert into {{ run_schema(run_id) }}.plays ({{ columns("events") }})
select {{ columns("events", "n") }}
from {{ run_schema(run_id) }}.staging_events as n
where n.page = 'NextSong'
union all
select {{ columns("events", "e") }}
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.affected_days as d on e.start_time >= d.day_start and e.start_time < d.day_end
left join {{ run_schema(run_id) }}.superseded_events as x
    on e.source_key = x.source_key and e.line_number = x.line_number and e.start_time = x.start_time
where e.page = 'NextSong' and x.source_key is null;
