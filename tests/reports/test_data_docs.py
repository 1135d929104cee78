"""The data docs are what the declarations say, and say so when they drift."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs import generate
from include.sparkify import checks, declared

CREATE = Path(checks.FOLDER).parent / "sql" / "create"


@pytest.mark.parametrize("path", generate.pages(), ids=lambda path: path.name)
def test_they_are_as_declared(path):
    assert path.read_text() == generate.pages()[path], "the declarations have changed: make docs"


def test_every_table_column_and_check_is_in_them():
    page = generate.pages()[generate.ROOT / "docs" / "data" / "README.md"]
    tables = [*map(declared.created, CREATE.glob("*.sql")), *declared.reports().values()]
    assert len(tables) > 20
    for table in tables:
        assert f"### {table.name}\n" in page
        for column in table.columns:
            assert f"| `{column.name}`" in page
    for table in (*checks.STAGING, *checks.STAR):
        for check in checks.column_checks(table) + checks.row_checks(table):
            assert f"| `{check.name}` |" in page


def test_the_references_of_the_star():
    tables = {path.stem: declared.created(path) for path in CREATE.glob("*.sql")}
    # The natural key of songplays, not songplay_id, is its `key`: no other table points to a play.
    assert generate.references(tables["songplays"], tables) == {
        "start_time": "time",
        "user_id": "users",
        "song_id": "songs",
        "artist_id": "artists",
    }
    assert generate.references(tables["songs"], tables) == {"artist_id": "artists"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("comment on column {{ star() }}.users.gender is", "-- no comment on", "no comment on column gender"),
        ("-- key:", "-- k:", "does not begin with grain, key, load and late data"),
        ("-- one row per", "-- rows of", "does not begin with grain"),
    ],
)
def test_a_silent_declaration_is_refused(tmp_path, old, new, message):
    text = (CREATE / "users.sql").read_text()
    assert old in text
    (tmp_path / "users.sql").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        declared.created(tmp_path / "users.sql")


def test_a_changed_meaning_shows(tmp_path, monkeypatch):
    for path in CREATE.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text().replace("'First name'", "'Given name'"))
    monkeypatch.setattr(generate, "CREATE", tmp_path)
    changed = generate.pages()
    assert any(path.read_text() != text for path, text in changed.items())
