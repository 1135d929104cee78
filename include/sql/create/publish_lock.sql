-- one row at most, never written: the table exists to be locked
-- key: none
-- load: none; holding its lock is the right to change published tables. It is of no use to a query, so no reader
-- keeps a writer waiting
-- late data: none
create table if not exists {{ ops() }}.publish_lock (
    unused smallint
) diststyle all;
comment on table {{ ops() }}.publish_lock is 'Locked by a run while it changes published tables; empty';
comment on column {{ ops() }}.publish_lock.unused is 'Never written';
