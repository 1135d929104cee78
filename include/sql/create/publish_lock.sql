-- one row at most, but none is ever written: the table exists only to be locked
-- key: none
-- load: none. The session that locks it may change published tables. No query reads it, so no reader blocks a writer
-- late data: none
create table if not exists {{ ops() }}.publish_lock (
    unused smallint
) diststyle all;
comment on table {{ ops() }}.publish_lock is 'Locked by a run while it changes published tables; empty';
comment on column {{ ops() }}.publish_lock.unused is 'Never written';
