-- one row per UTC day whose rows change; beside it, the rows of the history that the run supersedes
-- key: scope_start
-- load: derived anew
-- late data: a line of another day than its file's brings that day into scope
drop table if exists {{ run_schema(run_id) }}.superseded_events;
create table {{ run_schema(run_id) }}.superseded_events (
    source_key varchar(1024) not null,
    line_number integer not null,
    start_time timestamp not null sortkey
);
insert into {{ run_schema(run_id) }}.superseded_events (source_key, line_number, start_time)
select
    e.source_key,
    e.line_number,
    e.start_time
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.staging_files as f on e.source_key = f.source_key and f.loaded_before
inner join {{ run_schema(run_id) }}.windows as w on e.start_time >= w.window_start and e.start_time < w.window_end
where trunc(e.start_time) = e.file_date
union all
select
    e.source_key,
    e.line_number,
    e.start_time
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.staging_files as f on e.source_key = f.source_key and f.loaded_before
where trunc(e.start_time) <> e.file_date;

drop table if exists {{ run_schema(run_id) }}.scope;
create table {{ run_schema(run_id) }}.scope (
    scope_start timestamp not null sortkey,
    scope_end timestamp not null
) diststyle all;
insert into {{ run_schema(run_id) }}.scope (scope_start, scope_end)
select
    days.scope_start,
    dateadd(day, 1, days.scope_start) as scope_end
from (
    select date_trunc('day', start_time) as scope_start from {{ run_schema(run_id) }}.staging_events
    union
    select date_trunc('day', start_time) as scope_start from {{ run_schema(run_id) }}.superseded_events
) as days;

-- every play that will be there on the days in scope, from whatever file
drop table if exists {{ run_schema(run_id) }}.plays;
create table {{ run_schema(run_id) }}.plays (like {{ star() }}.events);
insert into {{ run_schema(run_id) }}.plays (
    source_key, line_number, file_date, start_time, ts, page, user_id, level, session_id, item_in_session, song,
    artist, length, first_name, last_name, gender, location, user_agent
)
select
    s.source_key,
    s.line_number,
    s.file_date,
    s.start_time,
    s.ts,
    s.page,
    s.user_id,
    s.level,
    s.session_id,
    s.item_in_session,
    s.song,
    s.artist,
    s.length,
    s.first_name,
    s.last_name,
    s.gender,
    s.location,
    s.user_agent
from {{ run_schema(run_id) }}.staging_events as s
where s.page = 'NextSong'
union all
select
    e.source_key,
    e.line_number,
    e.file_date,
    e.start_time,
    e.ts,
    e.page,
    e.user_id,
    e.level,
    e.session_id,
    e.item_in_session,
    e.song,
    e.artist,
    e.length,
    e.first_name,
    e.last_name,
    e.gender,
    e.location,
    e.user_agent
from {{ star() }}.events as e
inner join {{ run_schema(run_id) }}.scope as d on e.start_time >= d.scope_start and e.start_time < d.scope_end
left join {{ run_schema(run_id) }}.superseded_events as x
    on e.source_key = x.source_key and e.line_number = x.line_number
where e.page = 'NextSong' and x.source_key is null;
