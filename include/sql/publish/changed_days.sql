-- one row per version of the star and day whose plays this version changed
-- load: the days of this version are appended
insert into {{ ops() }}.changed_days (version, day)
with days as (
    select trunc(day_start) as day from {{ run_schema() }}.affected_days
    union
    select trunc(start_time) as day from {{ run_schema() }}.repointed_songplays
)
select
    v.version,
    d.day
from days as d
cross join (select max(version) as version from {{ ops() }}.publish_log) as v;
