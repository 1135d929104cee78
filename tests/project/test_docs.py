"""Test that the generated documents are up to date, and that the documents name only what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs import generate
from include.sparkify import tables
from include.sparkify.tasks import checks
from local.cloud_demo import PAGE
from local.walkthrough import read_commands
from tests.project.files import PROJECT, read, tracked

CREATE = tables.SQL / "create"


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: path.name)
def test_a_generated_page_is_up_to_date(path: Path) -> None:
    assert path.read_text() == generate.pages()[path], "run make docs"


def test_every_table_column_and_check_is_documented() -> None:
    page = generate.pages()[PROJECT / "docs" / "data" / "README.md"]
    documented = [*map(tables.published, tables.PUBLISHED), *tables.reports().values()]
    assert len(documented) > 20
    for table in documented:
        assert f"### {table.name}\n" in page
        for column in table.columns:
            assert f"| `{column.name}`" in page
    for name in checks.CHECKED:
        for check in checks.column_checks(name) + checks.row_checks(name):
            assert f"| `{check.name}` |" in page


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" -- F or M, as delivered", "", "no meaning of column gender"),
        ("-- key:", "-- k:", "does not begin with grain, key, load and late data"),
        ("-- one row per", "-- rows of", "does not begin with grain"),
    ],
)
def test_a_table_without_documentation_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (CREATE / "users.sql").read_text()
    assert old in text
    (tmp_path / "users.sql").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        tables.read_create_script(tmp_path / "users.sql")


def test_links_and_paths_lead_somewhere() -> None:
    pages = [path for path in tracked() if path.suffix == ".md"]
    links = [
        (page, page.parent / link)
        for page in pages
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    ]
    paths = re.findall(r"`([a-z_]+/[\w/.]+)`", read("CONTRIBUTING.md"))
    links += [
        (PROJECT / "CONTRIBUTING.md", PROJECT / path) for path in paths if not re.search("NAME|TABLE", path)
    ]
    assert len(links) > 65
    assert not [f"{page}: {target}" for page, target in links if not target.exists()]


def deployed_and_local() -> list[Path]:
    """Return the Python files that read settings and name tasks."""
    return [path for folder in ("dags", "include", "local") for path in (PROJECT / folder).rglob("*.py")]


def test_every_environment_variable_is_documented() -> None:
    variable = r"SPARKIFY_[A-Z]+(?:_[A-Z]+)*\b(?!_)"
    named = {name for path in deployed_and_local() for name in re.findall(variable, path.read_text())}
    assert len(named) > 8
    assert named <= set(generate.variables())


def test_every_step_of_the_flow_is_where_the_page_says() -> None:
    named = re.findall(r"`([\w/]+\.py):(\w+)`", read("docs/flow.md"))
    assert len(named) > 20
    lost = [
        f"{path}:{function}"
        for path, function in named
        if not re.search(rf"^ *def {function}\(", read(path), re.M)
    ]
    assert not lost


def test_the_flow_has_every_task_of_the_dag(airflow_database: None) -> None:
    from tests.running import dag_of

    page = read("docs/flow.md")
    steps = {name.partition(".")[0] for name in dag_of("sparkify").task_ids}
    assert set(re.findall(r"\d+ (\w+)(?:<br>[^\"]*)?\"\]", page)) == steps
    # The DAG's doc_md has the same steps with the same numbers.
    told = re.findall(r"^(\d+)\. `(\w+)`", dag_of("sparkify").doc_md, re.M)
    assert sorted(told) == sorted(re.findall(r"\[\"(\d+) (\w+)", page))


def test_texts_name_tasks_that_exist() -> None:
    dags = "".join(path.read_text() for path in (PROJECT / "dags").glob("*.py"))
    tasks = {
        *re.findall(r"def (\w+)\(", dags),
        *re.findall(r'operators\("(\w+)"', dags),
        *tables.BUILD,
        *tables.STAGING,
    }
    tasks |= set(re.findall(r'"(\w+)"', read("include/reports/publish.py")))
    named = {
        (path.name, name)
        for path in deployed_and_local()
        for name in re.findall(r"\b[tT]asks? `+(\w+)`", path.read_text())
    }
    assert len(named) > 5
    assert not [f"{path}: {name}" for path, name in named if name not in tasks]


@pytest.mark.finding("G7")
def test_maintenance_is_switched_on_after_the_first_load() -> None:
    """Airflow immediately starts the last weekly run of an unpaused DAG. It would fail without tables."""
    commands = read_commands(PAGE)
    assert commands.index("\nrun sparkify ") < commands.index("unpause maintenance\n")
