-- one row at most, although no row is ever written, because the table exists only to be locked
-- key: none
-- load: none. The session that holds the lock may change published tables. No query reads this table, so readers never block writers
-- late data: none
create table if not exists {{ ops() }}.publish_lock (
    unused smallint -- Never written
) diststyle all;
