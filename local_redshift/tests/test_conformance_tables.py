"""Test tables: the columns, keys and layout that CREATE and ALTER TABLE define, and the rows that tables accept.

The tests run on the stand-in or on a real cluster (see warehouse.py).
"""

from __future__ import annotations

from warehouse import Client


def test_table_attributes_are_in_the_catalog(client: Client) -> None:
    client("create table {s}.users (id int primary key)")
    client(
        """
        create table if not exists {s}.facts ( -- the grain, (in brackets)
            id bigint identity(0, 1),
            user_id int not null references {s}.users (id) encode az64,
            start_time timestamp not null encode raw,
            note text default 'a,b)' encode zstd,
            amount decimal,
            primary key (id, start_time),
            foreign key (user_id) references {s}.users (id)
        )
        backup yes diststyle key distkey (user_id) compound sortkey (start_time, user_id)
        """
    )
    client("set search_path to {s}")
    assert client(
        'select "column", type, distkey, sortkey, "notnull" from pg_table_def where schemaname = \'{s}\''
        " and tablename = 'facts'"
    ) == [
        ("id", "bigint", False, 0, True),
        ("user_id", "integer", True, 2, True),
        ("start_time", "timestamp without time zone", False, 1, True),
        ("note", "character varying(256)", False, 0, False),
        ("amount", "numeric(18,0)", False, 0, False),
    ]
    client("insert into facts (user_id, start_time) values (1, '2018-11-01')")
    assert client("select id, note from facts") == [(0, "a,b)")]
    client.fails("insert into facts (id, user_id, start_time) values (9, 1, '2018-11-01')", "id")


def test_like_takes_layout_and_new_tables_come_from_a_query(client: Client) -> None:
    client("create table {s}.a (id int distkey, ts timestamp not null sortkey, n int default 7)")
    client("create table {s}.b (like {s}.a)")
    client("create temp table c (like {s}.a including defaults)")
    client("create table #d (x int)")
    client("insert into #d select 1")
    client("insert into c (id, ts) values (1, '2018-11-01')")
    assert client("select n from c") == [(7,)]
    client("create table {s}.e distkey (id) sortkey (ts) as select * from {s}.a union all select * from c")
    client("set search_path to {s}")
    laid_out = client(
        "select tablename, \"column\" from pg_table_def where tablename in ('b', 'e') and (distkey or sortkey = 1)"
        " order by 1, 2"
    )
    assert laid_out == [("b", "id"), ("b", "ts"), ("e", "id"), ("e", "ts")]
    assert client("select count(*) from e, #d") == [(1,)]


def test_alter_table(client: Client) -> None:
    client("create table {s}.a (id int not null)")
    client("alter table {s}.a add column name varchar(10) encode lzo default 'x'")
    client("alter table {s}.a rename column name to title")
    client("alter table {s}.a rename to b")
    client("insert into {s}.b (id) values (1)")
    assert client("select * from {s}.b") == [(1, "x")]
    client("comment on table {s}.b is 'two'")
    client("comment on column {s}.b.id is 'one'")
    client("alter table {s}.b drop column title")


def test_alter_table_cannot_change_keys(client: Client) -> None:
    client("create table {s}.t (id int, d int distkey, s int, x int, primary key (x)) sortkey (s)")
    client.fails("alter table {s}.t drop column d", 'cannot drop distkey column "d"')
    client.fails("alter table {s}.t drop column s", 'cannot drop sortkey column "s"')
    client("alter table {s}.t drop column x")
    for attribute in (
        "distkey",
        "sortkey",
        "references {s}.t (id)",
        "identity(1, 1)",
        "unique",
        "primary key",
    ):
        client.fails(f"alter table {{s}}.t add column n int {attribute}")
    client("alter table {s}.t add column n int encode raw not null default 1")


def test_only_the_length_of_a_simple_varchar_changes(client: Client) -> None:
    client(
        "create table {s}.t (a varchar(9), b varchar(9) default 'x', c varchar(9) encode bytedict,"
        " d varchar(9) encode text255, e varchar(9) unique)"
    )
    client("alter table {s}.t add column f varchar(9) encode runlength")
    for column in "bcdef":
        client.fails(f"alter table {{s}}.t alter column {column} type varchar(20)")
    client("begin")
    client.fails(
        "alter table {s}.t alter column a type varchar(20)",
        "ALTER TABLE ALTER COLUMN cannot run inside a transaction block",
    )
    client("rollback")
    client("alter table {s}.t alter column a type varchar(20)")
    client("insert into {s}.t (a) values ('abcdefghijklmnopqrst')")
    client.fails("insert into {s}.t (a) values ('abcdefghijklmnopqrstu')", "too long")


def test_encodings_are_kept(client: Client) -> None:
    client("create table {s}.a (i int encode zstd, n varchar(9) encode raw, d date)")
    client("create table {s}.b (like {s}.a)")
    client("set search_path to {s}")
    for table in ("a", "b"):
        assert client(
            f"select \"column\", trim(encoding) from pg_table_def where schemaname = '{{s}}' and tablename = '{table}'"
        ) == [("i", "zstd"), ("n", "none"), ("d", "az64")]


def test_the_layout_follows_a_renamed_column_and_not_if_not_exists(client: Client) -> None:
    client("create table {s}.a (i int encode zstd, d int)")
    client(
        "create table if not exists {s}.a (i int encode raw, d int) distkey (d) interleaved sortkey (i, d)"
    )
    client("create table {s}.b (i int encode zstd, d int distkey, o int) sortkey (i, d)")
    for column in "id":
        client(f"alter table {{s}}.b rename column {column} to {column}2")
    client("set search_path to {s}")
    assert client(
        "select tablename, \"column\", trim(encoding), distkey, sortkey from pg_table_def where schemaname = '{s}'"
        " and \"column\" <> 'o' order by 1, 2"
    ) == [
        ("a", "d", "az64", False, 0),
        ("a", "i", "zstd", False, 0),
        ("b", "d2", "none", True, 2),
        ("b", "i2", "zstd", False, 1),
    ]
    client.fails("alter table {s}.b drop column d2", 'cannot drop distkey column "d2"')


def test_an_interleaved_sort_key_alternates_in_sign(client: Client) -> None:
    client("create table {s}.a (x int, y int, z int) interleaved sortkey (x, y, z)")
    rows = client(
        "select a.attsortkeyord from pg_attribute a where a.attrelid = '{s}.a'::regclass and a.attnum > 0"
        " order by a.attnum"
    )
    assert [abs(place) for (place,) in rows] == [1, 2, 3]
    assert rows[0][0] * rows[1][0] < 0 and rows[1][0] * rows[2][0] < 0


def test_types_that_can_only_be_declared(client: Client) -> None:
    client("create table {s}.docs (id int, doc super, place geometry, users hllsketch)")
    client("insert into {s}.docs (id) values (1)")
    found = client("select atttypid, format_type(atttypid, atttypmod) from pg_attribute"
                   " where attrelid = '{s}.docs'::regclass and attnum > 1 order by attnum")  # fmt: skip
    assert found == [(4000, "super"), (3000, "geometry"), (2935, "hllsketch")]
    assert client("select * from {s}.docs") == [(1, None, None, None)]
    cursor = client.connection.cursor()
    cursor.execute(f"select doc, place, users from {client.schema}.docs")
    assert [column[1] for column in cursor.description] == [4000, 3000, 2935]


# Keys and identity columns --------------------------------------------------------------------------


def test_keys_are_declared_but_not_enforced(client: Client) -> None:
    client("create table {s}.keyed (id int primary key, name varchar(9) unique) diststyle all")
    client("insert into {s}.keyed values (1, 'a'), (1, 'a')")
    client("insert into {s}.keyed values (1, 'a')")
    assert client("select count(*) from {s}.keyed") == [(3,)]
    assert client(
        "select column_name from information_schema.key_column_usage where table_schema = '{s}'"
        " and constraint_name like '%pkey'"
    ) == [("id",)]
    client.fails("insert into {s}.keyed (name) values ('b')", "null")


def test_foreign_keys_are_declared_but_not_enforced(client: Client) -> None:
    client("create table {s}.users (id int primary key, name varchar(9) unique)")
    client(
        "create table if not exists {s}.plays (usr int references {s}.users (id), friend int, name varchar(9),"
        " constraint friends foreign key (friend) references {s}.users, foreign key (name) references {s}.users (name))"
    )
    client("create table if not exists {s}.plays (usr int references {s}.users (id), friend int encode raw)")
    client("insert into {s}.users values (1, 'a'), (1, 'a')")
    client("insert into {s}.plays values (7, 8, 'nobody')")
    rows = client(
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = '{s}.plays'::regclass and contype = 'f'"
        " order by 1"
    )
    assert [row[0].replace(client.schema + ".", "") for row in rows] == [
        "FOREIGN KEY (friend) REFERENCES users(id)",
        "FOREIGN KEY (name) REFERENCES users(name)",
        "FOREIGN KEY (usr) REFERENCES users(id)",
    ]
    client("create table {s}.more (usr int)")
    client("insert into {s}.users values (1, 'a')")
    client("truncate {s}.users")
    client.fails("drop table {s}.users", "depend")
    client.fails("create table {s}.wrong (usr int references {s}.more (usr))", "unique constraint")


def test_identity_is_not_null_only_if_it_says_so(client: Client) -> None:
    client("create table {s}.a (i int identity(1, 3), n int)")
    client("create table {s}.b (i int identity(1, 3) not null, n int)")
    client("create table {s}.c (i int identity(1, 3), n int, primary key (i))")
    assert client(
        "select c.relname, a.attnotnull from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where a.attname = 'i' and c.oid in ('{s}.a'::regclass, '{s}.b'::regclass, '{s}.c'::regclass) order by 1"
    ) == [("a", False), ("b", True), ("c", True)]
    client("insert into {s}.a (n) values (1), (2)")
    assert client("select count(distinct i) from {s}.a where i is not null") == [(2,)]
    client("alter table {s}.a drop column i")


def test_identity_begins_with_one(client: Client) -> None:
    client(
        "create table {s}.t (a bigint identity not null, b int generated by default as identity not null, x int)"
    )
    client("insert into {s}.t (x) values (7)")
    client("insert into {s}.t (b, x) values (default, 8)")
    client("insert into {s}.t (b, x) values (2, 9)")
    assert client("select * from {s}.t order by x") == [(1, 1, 7), (2, 2, 8), (3, 2, 9)]


def test_default_identity_takes_a_value_too(client: Client) -> None:
    client("create table {s}.t (id int default identity(10, 10), x int)")
    client("insert into {s}.t (x) values (1)")
    client("insert into {s}.t values (7, 2)")
    assert client("select id, x from {s}.t order by x") == [(10, 1), (7, 2)]


# Rows -----------------------------------------------------------------------------------------------


def test_varchar_counts_bytes(client: Client) -> None:
    client("create table {s}.a (name varchar(4))")
    client("insert into {s}.a values ('abcd'), ('éé'), ('ab    ')")
    client.fails("insert into {s}.a values ('ééé')", "too long")
    assert client("select max(octet_length(name)) from {s}.a") == [(4,)]


def test_null_is_refused_in_words_of_redshift(client: Client) -> None:
    client("create table {s}.t (id int not null)")
    client.fails("insert into {s}.t values (null)", "Cannot insert a NULL value into column id")


def test_update_delete_merge(client: Client) -> None:
    client("create table {s}.users (id int, level varchar(4))")
    client("create table {s}.batch (id int, level varchar(4))")
    client("insert into {s}.users values (1, 'free'), (2, 'free')")
    client("insert into {s}.batch values (2, 'paid'), (3, 'free')")
    client(
        "merge into {s}.users using {s}.batch b on {s}.users.id = b.id when matched then update set level = b.level"
        " when not matched then insert (id, level) values (b.id, b.level)"
    )
    client(
        "update {s}.users set level = 'x' from {s}.batch where {s}.users.id = {s}.batch.id and batch.id = 3"
    )
    assert client("select id, level from {s}.users order by id") == [(1, "free"), (2, "paid"), (3, "x")]
    client("delete from {s}.users using {s}.batch where {s}.users.id = {s}.batch.id")
    assert client("select id from {s}.users") == [(1,)]
    client("insert into {s}.batch values (1, 'a'), (1, 'b')")
    client.fails(
        "merge into {s}.users using {s}.batch b on {s}.users.id = b.id when matched then update set level = b.level"
        " when not matched then insert values (b.id, b.level)"
    )
