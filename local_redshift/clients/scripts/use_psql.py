"""First-day work with psql: its backslash commands."""

import os
import subprocess

from steps import DATABASE, HOST, PASSWORD, PORT, USER, expect, refused, step

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PGHOST": HOST,
    "PGPORT": str(PORT),
    "PGUSER": USER,
    "PGPASSWORD": PASSWORD,
    "PGDATABASE": DATABASE,
}


def psql(*commands: str) -> str:
    """Run psql and return its output. Raise RuntimeError with its message if it fails."""
    done = subprocess.run(
        ["psql", "-X", "-A", "-v", "ON_ERROR_STOP=1", *(part for each in commands for part in ("-c", each))],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    if done.returncode or "ERROR" in done.stderr:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


psql(
    "create table songs (id int primary key, title varchar(20)) distkey (id) sortkey (id)",
    "create view titles as select title from songs",
    "create schema other",
    "insert into songs values (1, 'one')",
    "comment on table songs is 'songs that were heard'",
    "create group readers",
)

for command, wanted in (
    ("\\l", DATABASE),
    ("\\dn", "other"),
    ("\\dn+", "other"),
    ("\\dt", "songs"),
    ("\\dt+", "songs that were heard"),
    ("\\dv", "titles"),
    ("\\d", "titles"),
    ("\\d songs", "title"),
    ("\\d+ songs", "title"),
    ("\\d titles", "title"),
    ("\\d+ titles", "SELECT"),
    ("\\du", USER),
    ("\\dg", USER),
    ("\\dp songs", "songs"),
    ("\\dd", ""),
    ("\\df getdate", ""),
    ("\\dT", ""),
    ("\\di", ""),
    ("\\ds", ""),
    ("\\conninfo", DATABASE),
    ("\\encoding", "UTF8"),
):
    with step(command):
        assert wanted in psql(command), f"{wanted!r} is not in {psql(command)!r}"

with step("a file of statements"):
    script = "begin;\ninsert into songs values (2, 'two');\ncommit;\nselect count(*) from songs;\n"
    done = subprocess.run(
        ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"],
        input=script,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    expect((done.stdout.strip(), done.stderr), ("2", ""))

with step("EXPLAIN"):
    assert "cost" in psql("explain select * from songs"), "no cost"

with refused("\\copy is refused", "copy"):
    psql("\\copy songs from /dev/null")
