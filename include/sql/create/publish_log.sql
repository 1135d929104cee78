-- one row per version of the star, which is one publishing transaction
-- key: version
-- load: appended in that transaction
-- late data: none
create table if not exists {{ ops() }}.publish_log (
    version bigint not null sortkey,
    commit_id char(32) not null,
    run_id varchar(256) not null,
    mode varchar(16) not null,
    published_at timestamp not null
) diststyle all;
comment on table {{ ops() }}.publish_log is 'Versions of the star in the order in which they were published';
comment on column {{ ops() }}.publish_log.version is 'Number of the version, from 1, without gaps';
comment on column {{ ops() }}.publish_log.commit_id is 'ID of the transaction, to recognize a commit whose acknowledgment was lost';
comment on column {{ ops() }}.publish_log.run_id is 'DAG run that published it';
comment on column {{ ops() }}.publish_log.mode is 'Mode of that run: load, reload, replay or full_refresh';
comment on column {{ ops() }}.publish_log.published_at is 'Time of the commit, UTC';
