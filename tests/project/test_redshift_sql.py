"""Test the SQL that no test runs on local_redshift, and find joins that are slow or refused on a cluster."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

import jinja2
import pytest
import yaml
from local_redshift.sql.statements import translate

from tests.project.files import PROJECT, tracked


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
    for undefined in (Anything, Nothing):
        loader = jinja2.FileSystemLoader(PROJECT / "include" / "sql")
        environment = jinja2.Environment(undefined=undefined, loader=loader)
        environment.globals.update(
            # The names are dbt's and those of our templates. Both use `source`.
            config=lambda **_: "",
            source=undefined("source"),
            sources={"anything": undefined("source")},
        )
        yield environment.from_string(text).render()


# The path of each SQL file below include/, docs/ and examples/, and its text.
FILES = {
    name: path.read_text()
    for path in tracked()
    if path.suffix == ".sql"
    and (name := path.relative_to(PROJECT).as_posix()).startswith(("include/", "docs/", "examples/"))
}


def in_checks() -> Iterator[tuple[str, str]]:
    """Yield the file and the query of each check."""
    for path in sorted((PROJECT / "include" / "checks").glob("*.yaml")):
        for check in yaml.safe_load(path.read_text()).get("rows", {}).values():
            yield path.name, check["failing_rows"]


def test_redshift_documents_every_statement_of_the_dbt_models() -> None:
    """The tests run all other statements on local_redshift, which refuses undocumented ones."""
    models = {name: text for name, text in FILES.items() if name.startswith("examples/")}
    assert len(models) > 3
    for name, text in models.items():
        for sql in rendered(text):
            assert [each.text for each in translate(sql) if each.kind == "refused"] == [], name


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
    found = [each for each in [*FILES.items(), *in_checks()] if each[0] not in FEW]
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
    assert {where for where, text in FILES.items() if "cross join" in text} == CROSSED
    found = [*FILES.items(), *in_checks()]
    assert not [where for where, text in found if re.search(r"\bfull\b.*\bjoin\b", text)]


def test_the_first_contact_asks_about_files_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(PROJECT / "local_redshift/tests")
    asked = importlib.import_module("first_contact")
    for question in asked.QUESTIONS + asked.COPIES:
        for path in question.where.split(", "):
            assert (PROJECT / path).exists(), f"{question.what}: {path}"
