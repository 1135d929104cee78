-- one row per publication: a transaction that changed the star
-- key: generation
-- load: appended in that transaction; locking this table is the right to publish
-- late data: none
create table if not exists {{ star() }}.publications (
    generation bigint not null sortkey,
    token char(32) not null,
    run_id varchar(256) not null,
    published_at timestamp not null
) diststyle all;
comment on table {{ star() }}.publications is 'Publications in their order; locked while one is made';
comment on column {{ star() }}.publications.generation is 'Number of the publication, from 1, without gaps';
comment on column {{ star() }}.publications.token is 'Identity of the transaction, to recognise a commit whose acknowledgement was lost';
comment on column {{ star() }}.publications.run_id is 'DAG run that published';
comment on column {{ star() }}.publications.published_at is 'When, UTC';
