-- one row per version of the star and day whose plays this version changed
-- key: version, day
-- load: appended in the publish transaction. The DAG `reports` reads this table to update the report tables
-- late data: a late play changes the day of its own start_time
create table if not exists {{ ops() }}.changed_days (
    version bigint not null sortkey, -- Version of the star, see publish_log
    day date not null -- Day, UTC
) diststyle all;
