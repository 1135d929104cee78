-- one row per version of the star and day whose plays it changed
-- key: version, day
-- load: appended in the publishing transaction. The DAG `reports` updates the report tables from it
-- late data: a late play changes the day of its own start_time
create table if not exists {{ ops() }}.changed_days (
    version bigint not null sortkey,
    day date not null
) diststyle all;
comment on table {{ ops() }}.changed_days is 'Days whose plays a version of the star changed';
comment on column {{ ops() }}.changed_days.version is 'Version of the star; see publish_log';
comment on column {{ ops() }}.changed_days.day is 'Day, UTC';
