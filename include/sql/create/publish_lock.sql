-- one row at most, but none is ever written: the table exists only to be locked
-- key: none
-- load: none. The session that locks it may change published tables. No query reads it, so no reader blocks a writer
-- late data: none
create table if not exists {{ ops() }}.publish_lock (
    unused smallint -- Never written
) diststyle all;
