"""`make first-contact`: check on a real cluster the behavior that AWS does not document and this project assumes.

Set LOCAL_REDSHIFT_CONFORMANCE_DSN (libpq's format). With LOCAL_REDSHIFT_CONFORMANCE_BUCKET and _ROLE, the command also
checks COPY. It creates all objects in its own schema, which it drops. The exit code is 1 if an answer differs from our
assumption. test_first_contact.py asks the stand-in the same questions.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

import psycopg2
import redshift_connector
from warehouse import Client, Warehouse, real

TABLES = (
    "create table {s}.t (id int, k int, v varchar(20), d decimal(10, 5), ts timestamp)",
    "insert into {s}.t values (1, 10, 'x', 2.45, '2018-11-01 10:00:00'), (2, 20, 'x ', 50.5, '2018-12-31 23:00:00')",
    "create table {s}.u (id int, k int, day_start timestamp, day_end timestamp)",
    "insert into {s}.u values (1, 11, '2018-11-01', '2018-11-02'), (3, 30, '2018-11-03', '2018-11-04')",
    "create table {s}.keyed (id int primary key, v varchar(20))",
    "insert into {s}.keyed values (1, 'a'), (1, 'b'), (2, 'c')",
    "create table {s}.locked (id int)",
)

Asked = str | Callable[[Client, Client], Any]


@dataclass(frozen=True)
class Question:
    """A question and the answer that we assume.

    `ask` is SQL whose last statement returns the answer, or a function of two sessions. `where` names the files and
    folders of the project that depend on the answer.
    """

    what: str
    ask: Asked
    assumed: str
    where: str


def _lock_then_read(one: Client, other: Client) -> str:
    """Return the number of rows that a transaction reads after it waited for LOCK while another transaction wrote."""
    one("begin")
    one("lock {s}.locked")
    other("begin")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(other, "lock {s}.locked")
        time.sleep(1)
        one("insert into {s}.u values (9, 9, null, null)")
        one("commit")
        waiting.result(60)
    found = other("select count(*) from {s}.u where id = 9")
    other("rollback")
    one("delete from {s}.u where id = 9")
    return str(found)


def _timeout_while_waiting(one: Client, other: Client) -> str:
    """Return the response to LOCK if statement_timeout expires while LOCK waits. Give up after ten seconds."""
    one("begin")
    one("lock {s}.locked")
    other("set statement_timeout to 1000")
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(_told, other, "lock {s}.locked")
            done, _ = wait([waiting], 10)
            one("rollback")
            return waiting.result(60) if done else "still waiting"
    finally:
        other("set statement_timeout to 0")


def _drop_under_a_waiter(one: Client, other: Client) -> str:
    """Return the response to a session that waits for a table while another session drops the table."""
    one("create table {s}.short_lived (id int)")
    one("begin")
    one("lock {s}.short_lived")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(_told, other, "insert into {s}.short_lived values (1)")
        time.sleep(1)
        one("drop table {s}.short_lived")
        one("commit")
        return waiting.result(60)


def _as_regular_user(sql: str) -> Callable[[Client, Client], str]:
    """Return a function that runs SQL as a user who may select only one column, while another session holds a lock."""

    def ask(one: Client, other: Client) -> str:
        user, password = f"{one.schema}_reader", "First-contact-1"
        if (made := _told(one, f"create user {user} password '{password}'")).startswith("refused: "):
            return made
        one(f"grant usage on schema {{s}} to {user}")
        one(f"grant select (id) on {{s}}.t to {user}")
        other("begin")
        other("lock {s}.locked")
        reader = Client(one.warehouse.psycopg(user=user, password=password), one.schema, one.warehouse)
        try:
            return _told(reader, sql.replace("{pid}", str(other("select pg_backend_pid()")[0][0])))
        finally:
            reader.connection.close()
            other("rollback")
            one(f"revoke select (id) on {{s}}.t from {user}")
            one(f"revoke usage on schema {{s}} from {user}")
            one(f"drop user {user}")

    return ask


def _catalog_while_schemas_are_dropped(one: Client, other: Client) -> str:
    """Return the errors of catalog queries that a client would not retry."""
    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(
            lambda: [one(f"{verb} schema {{s}}_{n}") for n in range(20) for verb in ("create", "drop")]
        )
        found = set()
        while not dropping.done():
            found.add(_told(other, "select count(*) > 0 from information_schema.columns"))
        dropping.result()
    again = ("does not exist", "could not open relation with OID")
    return str(
        sorted(each for each in found if each != "[(True,)]" and not any(text in each for text in again))
    )


def _told(client: Client, sql: str) -> str:
    """Run the statements. Return the rows of the last one as text, or `refused: ` and the error."""
    try:
        for statement in sql.split(";\n"):
            rows = client(statement)
    except (psycopg2.Error, redshift_connector.Error) as error:
        message = error.args[0] if error.args else error
        return f"refused: {message.get('M') if isinstance(message, dict) else str(message).splitlines()[0]}"
    return str(
        [tuple(value if isinstance(value, int | None) else str(value) for value in row) for row in rows]
    )


def _copied(column: str, value: str) -> Callable[[Client, Client], str]:
    """Return a function that returns the result of COPY for one JSON value in a column of a type."""

    def ask(one: Client, other: Client) -> str:
        source = one.warehouse.put(f"{uuid.uuid4().hex}.json", raw=f'{{"c": {value}}}'.encode())
        role = one.warehouse.role
        return _told(
            one,
            f"create table {{s}}.copied (c {column});\n"
            f"copy {{s}}.copied from '{source}' iam_role '{role}' json 'auto';\nselect c from {{s}}.copied",
        )

    return ask


STAR, RUN, REPORTS = "include/sql/publish", "include/sql/build", "include/sql/reports"
CONTRACT, SOURCE = "include/sparkify/files/contract.py", "include/sparkify/files/source.py"
QUESTIONS = (
    Question(
        "UPDATE ... FROM (subquery with GROUP BY), by equality",
        "update {s}.t set k = t.k + c.k from (select id, sum(k) as k from {s}.u group by id) as c where t.id = c.id;\n"
        "select k from {s}.t order by id",
        "[(21,), (20,)]",
        "include/reports/publish.py",
    ),
    Question(
        "DELETE ... USING with a range only",
        "delete from {s}.t using {s}.u where t.ts >= u.day_start and t.ts < u.day_end;\nselect id from {s}.t",
        "[(2,)]",
        f"{STAR}/songplays.sql, {STAR}/time.sql",
    ),
    Question(
        "duplicates of a declared key are found when grouped by an expression of it",
        "select p.id::varchar || '' as key from {s}.keyed as p group by p.id::varchar || '' having count(*) > 1",
        "[('1',)]",
        "include/sql/guard/duplicate_keys.sql, include/sparkify/tables.py",
    ),
    Question(
        "NOT IN (subquery without correlation) in the ON of a LEFT JOIN",
        "select t.id, u.id from {s}.t left join {s}.u on t.id = u.id and u.id not in (select id from {s}.keyed)"
        " order by 1",
        "[(1, None), (2, None)]",
        "include/checks/songplays.yaml",
    ),
    Question(
        "a check reads a row without a table, and its rows in a subquery",
        "select 'c' as check_name, min(c) as check_result from (select case when count(*) >= 0 and ((select count(*) "
        "from (select id from {s}.t where id = 3) as failing) = 0) then 1 else 0 end as c "
        "from (select 1 as one) as one_row) as sq",
        "[('c', 1)]",
        "include/sparkify/tasks/checks.py",
    ),
    Question("text || integer", "select v || id from {s}.t where id = 1", "[('x1',)]", "include/checks"),
    Question(
        "date || text",
        "select trunc(ts) || ' ' from {s}.t where id = 1",
        "[('2018-11-01 ',)]",
        "examples/dbt",
    ),
    Question(
        "DECIMAL of a table to INTEGER is cut, not rounded",
        "select d::integer from {s}.t order by id",
        "[(2,), (50,)]",
        REPORTS,
    ),
    Question("DECIMAL literal to less scale", "select 2.45::decimal(5, 1)", "[('2.4',)]", REPORTS),
    Question(
        "a quotient, rounded to the scale of the report",
        "select round(id::decimal(18, 4) / 3, 4) from {s}.t order by id",
        "[('0.3333',), ('0.6667',)]",
        REPORTS,
    ),
    Question(
        "ROUND of a DECIMAL of a table",
        "select round(d, 1), round(d) from {s}.t order by id",
        "[('2.5', '2'), ('50.5', '51')]",
        REPORTS,
    ),
    Question("two bare literals, one with a trailing blank", "select 'a' = 'a '", "[(True,)]", CONTRACT),
    Question(
        "capitals before small letters",
        "select v from (select 'b' as v union all select 'B' union all select 'a') order by v",
        "[('B',), ('a',), ('b',)]",
        f"{RUN}/ranked_song_files.sql",
    ),
    Question(
        "AT TIME ZONE twice",
        "select timestamp '2018-11-01 10:00' at time zone 'UTC' at time zone 'America/New_York'",
        "[('2018-11-01 06:00:00',)]",
        "local_redshift",
    ),
    Question(
        "EXTRACT of a TIMESTAMP is a whole number",
        "select extract(week from ts), extract(dow from ts) from {s}.t where id = 2",
        "[(1, 1)]",
        f"{RUN}/time.sql",
    ),
    Question(
        "names of columns without alias",
        "create table {s}.made as select count(*), max(k), 1 from {s}.t;\nselect column_name"
        " from information_schema.columns where table_schema = '{s}' and table_name = 'made' order by ordinal_position",
        "[('count',), ('max',), ('?column?',)]",
        "local_redshift",
    ),
    Question(
        # If the version is 8.2 or later, the dialect queries a setting that a cluster does not have.
        "what the dialect of the Astro SDK asks: the version when it connects, and whether a table exists",
        "select pg_catalog.version() like 'PostgreSQL 8.0.%', c.relname from pg_class as c"
        " join pg_namespace as n on n.oid = c.relnamespace where n.nspname = '{s}' and c.relname = 't'",
        "[(True, 't')]",
        "include/reports/sdk.py",
    ),
    Question(
        "several COUNT(DISTINCT) in one GROUP BY with a ROLLUP",
        "select k, id, count(distinct d), count(distinct ts) from {s}.t group by k, rollup (id) order by 1, 2",
        "[(10, 1, 1, 1), (10, None, 1, 1), (20, 2, 1, 1), (20, None, 1, 1)]",
        f"{REPORTS}/period_totals.sql, {REPORTS}/period_parts.sql, include/reports/listening.py",
    ),
    Question(
        "the same with two ROLLUPs",
        "select grouping(id), grouping(k), count(distinct d), count(distinct ts) from {s}.t"
        " group by rollup (id), rollup (k) order by 1, 2",
        "[(0, 0, 1, 1), (0, 0, 1, 1), (0, 1, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1), (1, 0, 1, 1), (1, 1, 2, 2)]",
        f"{REPORTS}/period_tops.sql",
    ),
    Question(
        "LEAD of an aggregate beside GROUP BY, in a view",
        "create view {s}.w as select id, lead(min(k)) over (order by id) as later from {s}.t group by id;\n"
        "select id, later from {s}.w order by id",
        "[(1, 20), (2, None)]",
        f"{REPORTS}/level_history.sql",
    ),
    Question(
        "COUNT(*) by a user who may select one column only",
        _as_regular_user("select count(*) from {s}.t"),
        "[(2,)]",
        "docs/queries/totals.sql",
    ),
    Question(
        "SVV_TRANSACTIONS shows a regular user the locks of others",
        _as_regular_user("select count(*) > 0 from svv_transactions where pid = {pid}"),
        "[(True,)]",
        "include/sparkify/redshift/warehouse.py",
    ),
    Question(
        "a query of the catalog while another session drops schemas",
        _catalog_while_schemas_are_dropped,
        "[]",
        "include/sparkify/redshift/schema.py, include/sparkify/errors.py",
    ),
    Question(
        "a CREATE and a DROP in one transaction that is rolled back",
        "begin;\ndrop table {s}.keyed;\ncreate table {s}.keyed (other int);\nrollback;\nselect count(v) from {s}.keyed",
        "[(3,)]",
        "include/sparkify/redshift/schema.py",
    ),
    Question(
        "a transaction that waited for LOCK reads what was committed meanwhile",
        _lock_then_read,
        "[(1,)]",
        "docs/decisions/one-lock.md",
    ),
    Question(
        "statement_timeout counts the wait for LOCK",
        _timeout_while_waiting,
        "refused: ",
        "include/sparkify/settings.py",
    ),
    Question(
        "a session that waits for a table which is dropped",
        _drop_under_a_waiter,
        "refused: ",
        "include/sparkify/errors.py",
    ),
)
COPIES = (
    Question(
        "COPY: JSON 0.29 in DECIMAL(10, 5)", _copied("decimal(10, 5)", "0.29"), "[('0.28999',)]", SOURCE
    ),
    Question(
        "COPY: JSON 1e-05 in DECIMAL(10, 5)", _copied("decimal(10, 5)", "1e-05"), "[('0.00001',)]", SOURCE
    ),
    Question(
        'COPY: JSON "0.29" in DECIMAL(10, 5)', _copied("decimal(10, 5)", '"0.29"'), "[('0.29000',)]", SOURCE
    ),
    Question("COPY: JSON 5.0 in INTEGER", _copied("int", "5.0"), "refused: ", "local_redshift"),
    Question("COPY: JSON true in VARCHAR", _copied("varchar(9)", "true"), "[('true',)]", "local_redshift"),
)


def answers(warehouse: Warehouse) -> Iterator[tuple[Question, str]]:
    """Ask a warehouse each question in a new schema, and yield the question with the answer."""
    one, other = (
        Client(warehouse.psycopg(), f"first_contact_{uuid.uuid4().hex[:8]}", warehouse) for _ in range(2)
    )
    other.schema = one.schema
    one("create schema {s}")
    try:
        for question in QUESTIONS + (COPIES if warehouse.bucket else ()):
            for statement in TABLES:
                one(statement)
            yield question, question.ask(one, other) if callable(question.ask) else _told(one, question.ask)
            one("drop schema {s} cascade")
            one("create schema {s}")
    finally:
        one("rollback")
        one("drop schema {s} cascade")
        one.connection.close()
        other.connection.close()


def is_as_assumed(question: Question, found: str) -> bool:
    """Return whether an answer is the assumed one. The wording of a refusal does not count."""
    return (
        found.startswith(question.assumed) if question.assumed == "refused: " else found == question.assumed
    )


def main() -> int:
    """Print a table of the assumed answers and those of the cluster."""
    warehouse = real()
    if warehouse is None:
        print(
            "Next: set LOCAL_REDSHIFT_CONFORMANCE_DSN to 'host=... port=5439 dbname=... user=... password=...'.",
            file=sys.stderr,
        )
        return 2
    other = 0
    print("| question | assumed | found | where it matters |\n|---|---|---|---|")
    for question, found in answers(warehouse):
        same = is_as_assumed(question, found)
        other += not same
        shown = "as assumed" if same and not question.assumed.startswith("refused") else found
        cells = (question.what, question.assumed, shown if same else f"**{shown}**", question.where)
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |", flush=True)
    if not warehouse.bucket:
        print("COPY was not asked: set LOCAL_REDSHIFT_CONFORMANCE_BUCKET and _ROLE too.", file=sys.stderr)
    print(f"{other} answers are not as assumed. Next: correct the stand-in, and what the last column names.")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
