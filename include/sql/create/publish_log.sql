-- one row per version of the star, which is the result of one publish transaction
-- key: version
-- load: appended in the publish transaction
-- late data: none
create table if not exists {{ ops() }}.publish_log (
    version bigint not null sortkey, -- Number of the version, consecutive from 1
    commit_id char(32) not null, -- ID of the transaction, which identifies a commit whose acknowledgment was lost
    run_id varchar(256) not null, -- DAG run that published this version
    mode varchar(16) not null, -- Mode of the DAG run: load, reload, replay or full_refresh
    published_at timestamp not null -- Time of the commit, UTC
) diststyle all;
