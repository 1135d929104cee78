-- one row per version of the star, which is one publishing transaction
-- key: version
-- load: appended in that transaction
-- late data: none
create table if not exists {{ ops() }}.publish_log (
    version bigint not null sortkey, -- Number of the version, from 1, without gaps
    commit_id char(32) not null, -- ID of the transaction, to recognize a commit whose acknowledgment was lost
    run_id varchar(256) not null, -- DAG run that published it
    mode varchar(16) not null, -- Mode of that run: load, reload, replay or full_refresh
    published_at timestamp not null -- Time of the commit, UTC
) diststyle all;
