"""Test the fixtures that the package provides to other projects."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from local_redshift import Options, Running, server

pytest_plugins = "pytester"


@pytest.fixture
def stranger(
    pytester: pytest.Pytester, local_redshift: Running, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """Return a test folder of another project, which uses the running server."""
    pytester.makeconftest(
        f"""
        import pytest
        from pathlib import Path
        from local_redshift import Running

        @pytest.fixture(scope="session")
        def local_redshift():
            return Running(**{dataclasses.asdict(local_redshift)!r})

        @pytest.fixture(scope="session")
        def redshift_template(redshift_template):
            redshift_template.run(Path("schema.sql"))
            redshift_template.load("songs", Path("songs.csv"))
            return redshift_template
        """
    )
    pytester.path.joinpath("schema.sql").write_text(
        "create table songs (id int primary key, title varchar(20)) sortkey (id); create table plays (song int);"
    )
    pytester.path.joinpath("songs.csv").write_text("id,title\n1,Alpha\n2,Beta\n")
    pytester.path.joinpath("plays.jsonl").write_text('{"song": 1}\n{"song": 1}\n')
    return pytester


TESTS = """
from pathlib import Path

import psycopg2
import pytest


@pytest.mark.parametrize("number", [1, 2])
def test_every_test_begins_with_the_template(redshift, number):
    assert redshift.run("select title from songs order by id") == [("Alpha",), ("Beta",)]
    redshift.run("delete from songs")
    redshift.run("create table other (id int)")


def test_files_are_loaded_by_copy(redshift):
    redshift.load("plays", Path("plays.jsonl"))
    query = "select s.title, count(*) from plays p join songs s on p.song = s.id group by 1"
    assert redshift.run(query) == [("Alpha", 2)]
    with redshift.connect() as connection, connection.cursor() as cursor:
        cursor.execute("select current_database()")
        assert cursor.fetchone() == (redshift.name,)


def test_the_history_of_loads_is_that_of_the_database(redshift):
    Path("bad.csv").write_text("id,title\\nx,Gamma\\n")
    with pytest.raises(psycopg2.Error, match="Check 'stl_load_errors'"):
        redshift.load("songs", Path("bad.csv"))
    assert redshift.run("select trim(colname), err_code from stl_load_errors") == [("id", 1207)]
    assert redshift.run("select database_name from sys_load_error_detail") == [(redshift.name,)]
    redshift.load("plays", Path("plays.jsonl"))
    assert redshift.run("select loaded_rows from sys_load_history where table_name = 'plays'") == [(2,)]
"""


def test_every_test_gets_a_clean_database(stranger: pytest.Pytester, local_redshift: Running) -> None:
    stranger.makepyfile(TESTS)
    stranger.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=4)

    with psycopg2.connect(**local_redshift.login) as connection, connection.cursor() as cursor:
        cursor.execute("select datname from pg_database where datname like 'test%'")
        assert cursor.fetchall() == []


def test_a_running_server_is_used_by_option(pytester: pytest.Pytester, tmp_path: Path) -> None:
    pytester.makepyfile("def test_it(redshift): assert redshift.run('select 1') == [(1,)]")
    with server(Options(), home=tmp_path):
        found = pytester.runpytest_subprocess("-q", "--local-redshift-home", str(tmp_path))
    found.assert_outcomes(passed=1)
    found = pytester.runpytest_subprocess("-q", "--local-redshift-home", str(tmp_path))
    assert found.ret == 4
    found.stdout.fnmatch_lines(["*no local Redshift runs in*Next: local-redshift serve --home*"])


def test_the_plugin_can_be_imported_on_windows() -> None:
    code = (
        "import boto3, psycopg2, pytest, subprocess, sys, tempfile, urllib.request\n"
        "for name in [name for name in sys.modules if name.startswith('local_redshift')]:\n"
        "    del sys.modules[name]\n"
        "sys.platform, sys.modules['fcntl'] = 'win32', None\n"
        "import local_redshift.cli, local_redshift.pytest_plugin\n"
        "with local_redshift.server(): pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ServiceError: local_redshift runs on Linux and macOS only" in done.stderr
