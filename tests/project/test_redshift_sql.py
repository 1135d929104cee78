"""Test, with local_redshift's front end, that Amazon Redshift documents every statement of the project.

The statements are those in SQL files, checks and Python strings, and those that the DAGs' operators build. A refusal
names file and line.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from airflow.models import DagBag
from local_redshift.sql.statements import translate
from local_redshift.sql.tokens import split, text_of, tokenize

from tests.project.files import PROJECT, tracked

Found = tuple[str, str]
"""The place of a SQL text, as path:line, and the text."""

_SQL = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*(?:select\s|with\s+\w+\s+as\b|insert\s+into\s|update\s+\S+\s+set\b|delete\s+from\s|lock\s+table\s"
    r"|(?:create|drop|alter)\s+(?:table|schema|user|view|group)\s|grant\s|revoke\s|comment\s+on\s|vacuum\s|analyze\s"
    r"|truncate\s|copy\s)"
)


class Anything(jinja2.Undefined):
    """The value of every name in a template: a word that SQL accepts as a name."""

    def __call__(self, *arguments: Any, **named: Any) -> str:
        return "anything"

    def __str__(self) -> str:
        return "anything"

    def __iter__(self) -> Iterator[Any]:
        yield self

    __getattr__ = __call__


class Nothing(Anything):
    """The same word as a false value, for the other branch of each condition."""

    def __bool__(self) -> bool:
        return False


def rendered(text: str) -> Iterator[str]:
    """Yield the rendered text of a template with all conditions true, and with all of them false."""
    if "{{" not in text and "{%" not in text:
        yield text
        return
    for undefined in (Anything, Nothing):
        loader = jinja2.FileSystemLoader(PROJECT / "include" / "sql")
        environment = jinja2.Environment(undefined=undefined, loader=loader)
        environment.globals.update(
            # The names are dbt's and those of our templates. Both use `source`.
            config=lambda **_: "",
            ref=str,
            source=undefined("source"),
            sources={"anything": undefined("source")},
        )
        yield environment.from_string(text).render()


def in_files() -> Iterator[Found]:
    """Yield the SQL files below include/, docs/ and examples/."""
    for path in tracked():
        name = path.relative_to(PROJECT).as_posix()
        if path.suffix == ".sql" and name.startswith(("include/", "docs/", "examples/")):
            yield f"{name}:1", path.read_text()


def in_checks() -> Iterator[Found]:
    """Yield the queries of the checks."""
    for path in sorted((PROJECT / "include" / "checks").glob("*.yaml")):
        for text in strings(yaml.safe_load(path.read_text())):
            if _SQL.match(text):
                line = path.read_text()[: path.read_text().index(text.splitlines()[0])].count("\n") + 1
                yield f"{path.relative_to(PROJECT).as_posix()}:{line}", text


def strings(value: Any) -> Iterator[str]:
    """Yield the strings of a parsed YAML file."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def in_python() -> Iterator[Found]:
    """Yield the Python strings that begin like a statement. A word replaces each value of an f-string."""
    for path in sorted([*(PROJECT / "include").rglob("*.py"), *(PROJECT / "dags").glob("*.py")]):
        tree = ast.parse(path.read_text())
        inside = {
            id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                text = "".join(
                    part.value if isinstance(part, ast.Constant) else "anything" for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
                text = node.value
            else:
                continue
            text = re.sub(r"\{\w*\}", "anything", text.replace("%s", "null"))
            text = re.sub(r"\b(limit|offset) anything", r"\1 1", text)
            if _SQL.match(text) and ("anything" not in text or parses(text)):
                yield f"{path.relative_to(PROJECT).as_posix()}:{node.lineno}", text


def parses(text: str) -> bool:
    """Return whether a text is valid SQL with a word in place of each value.

    If a value is more than a word, the statement is complete only at run time. It is checked then, because all tests
    run on local_redshift.
    """
    texts = (each.text for each in translate(text) if each.kind == "refused")
    return not any(reason.startswith(("syntax error", "function anything()")) for reason in texts)


def of_operators() -> Iterator[Found]:
    """Yield the SQL of the DAGs' operators, including the queries that the check operators build."""
    bag = DagBag(dag_folder=str(PROJECT / "dags"))
    assert not bag.import_errors
    for dag in bag.dags.values():
        for task in dag.tasks:
            sql = getattr(task, "sql", None) or []
            for text in [sql] if isinstance(sql, str) else sql:
                if not text.endswith(".sql"):
                    yield f"{Path(dag.fileloc).relative_to(PROJECT)}:1 task {task.task_id}", text


def refusals(found: Found) -> list[str]:
    """Return the reasons why statements of a text are refused, each with its line."""
    where, text = found
    path, _, first = where.partition(":")
    number, _, task = first.partition(" ")
    reasons = {}
    for sql in rendered(text):
        before = 0
        for tokens in split(tokenize(sql)):
            statement = text_of(tokens)
            if statement.strip() == "anything":
                continue  # a macro that expands to a whole statement
            at = sql.index(statement, before)
            before = at + len(statement)
            line = int(number) + sql[: at + len(statement) - len(statement.lstrip())].count("\n")
            for each in translate(statement):
                if each.kind == "refused":
                    reasons[f"{path}:{line}{task and ' '}{task}: {each.text}"] = None
    return list(reasons)


@pytest.mark.parametrize("source", [in_files, in_checks, in_python, of_operators], ids=lambda f: f.__name__)
def test_every_statement_is_documented(source: Any) -> None:
    found = list(source())
    assert len(found) > 5, "the search finds nothing"
    reasons = [reason for each in found for reason in refusals(each)]
    assert not reasons, "\n".join(reasons)


def test_a_refusal_names_file_and_line() -> None:
    found = (
        "include/sql/x.sql:1",
        "-- one\nselect 1;\n\nselect lag(a, 1, 0) over (order by a) from {{ star() }}.t",
    )
    assert refusals(found) == [
        "include/sql/x.sql:4: Default parameter not be supported for window function lag"
    ]


# These two scripts join generated numbers by range: 10,000 in one, 31 in the other.
FEW = ("include/sql/reports/retention.sql", "include/sql/reports_state/day_periods.sql")
_JOIN = re.compile(
    r"\bjoin\b(?:(?!\bjoin\b).)*?\bon\b(.*?)"
    r"(?=\b(?:inner|left|cross|join|where|group|order|union|having|qualify|limit)\b|;|$)"
    r"|\bdelete from\b[^;]*?\busing\b(.*?);",
    re.DOTALL,
)


def ranges(text: str) -> list[str]:
    """Return the join conditions without an equality comparison. Redshift runs these joins as nested loops.

    See https://docs.aws.amazon.com/redshift/latest/dg/c-the-query-plan.html.
    """
    whole, found = re.sub(r"--[^\n]*", "", text), []
    # Process the innermost parentheses first.
    while inner := re.search(r"\(([^()]*)\)", whole):
        found += _JOIN.findall(inner[1])
        whole = f"{whole[: inner.start()]} {whole[inner.end() :]}"
    conditions = (one or other for one, other in found + _JOIN.findall(whole))
    return [condition for condition in conditions if not re.search(r"(?<![<>!])=|\bin\b|anything", condition)]


def test_no_join_has_only_a_range() -> None:
    assert ranges("select 1 from a inner join b as d on a.at >= d.start and a.at < d.until where a.x = 1")
    assert ranges("delete from a using b as d where a.at >= d.start;")
    assert ranges("select 1 from (select 1 from a inner join b on trunc(a.at) < b.day) as x where x.a = 1")
    assert not ranges("select 1 from a left join b on a.x = b.x and a.at < b.until")
    found = [each for each in [*in_files(), *in_checks()] if each[0].removesuffix(":1") not in FEW]
    assert not [(where, each) for where, text in found for sql in rendered(text) for each in ranges(sql)]


# These cross joins have one row, only the changed days, or a series of numbers on one side.
CROSSED = {
    "include/sql/publish/changed_days.sql",
    "include/sql/publish/loaded_files.sql",
    "include/sql/reports/loads.sql",
    "include/sql/reports/part_days.sql",
    "include/sql/reports/retention.sql",
    "include/sql/reports_state/due_events.sql",
}


def test_no_join_crosses_the_history_or_is_full() -> None:
    """A FULL JOIN may be refused: "is only supported with merge-joinable join conditions"."""
    assert {where.removesuffix(":1") for where, text in in_files() if "cross join" in text} == CROSSED
    assert not [
        where for where, text in [*in_files(), *in_checks()] if re.search(r"\bfull\b.*\bjoin\b", text)
    ]


def test_the_first_contact_asks_about_files_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROJECT / "local_redshift/tests")
    asked = importlib.import_module("first_contact")
    for question in asked.QUESTIONS + asked.COPIES:
        for path in question.where.split(", "):
            assert (PROJECT / path).exists(), f"{question.what}: {path}"
