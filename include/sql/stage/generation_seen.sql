-- one row: the last publication when the run's schema was made
-- key: none
-- load: inserted once; a later publication makes the run derive its candidates again
-- late data: none
create table {{ run_schema(run_id) }}.generation_seen (generation bigint not null) diststyle all;
insert into {{ run_schema(run_id) }}.generation_seen (generation)
select coalesce(max(generation), 0) from {{ star() }}.publications;
