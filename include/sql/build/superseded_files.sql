-- one row per loaded version of a file that the run replaces or removes
-- key: source_key
-- load: derived from the ledger
-- late data: none
drop table if exists {{ run_schema() }}.superseded_files;
create table {{ run_schema() }}.superseded_files diststyle all as
select
    l.source_key,
    l.first_event,
    l.last_event
from {{ ops() }}.loaded_files as l
inner join {{ run_schema() }}.staging_files as f on l.source_key = f.source_key;
