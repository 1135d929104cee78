"""First-day work with SQLMesh: plan, run and audit its example project, and plan it again after a change."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import redshift_connector
from steps import DATABASE, HOST, LOGIN, PASSWORD, PORT, USER, expect, step

CONFIG = f"""
gateways:
  redshift:
    connection:
      type: redshift
      host: {HOST}
      port: {PORT}
      user: {USER}
      password: {PASSWORD}
      database: {DATABASE}
      ssl: false
default_gateway: redshift
disable_anonymized_analytics: true
model_defaults:
  dialect: redshift
  start: 2020-01-01
"""
ENVIRONMENT = os.environ | {"SQLMESH__DISABLE_ANONYMIZED_ANALYTICS": "1", "MAX_FORK_WORKERS": "1"}


def sqlmesh(*arguments: str) -> str:
    """Run one sqlmesh command in the current folder. Raise RuntimeError with the end of its output if it fails."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sqlmesh")), *arguments],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = done.stdout + done.stderr
    if done.returncode or "Failed models" in said:
        raise RuntimeError(said[-600:])
    return said


def rows(sql: str) -> list[tuple[object, ...]]:
    connection = redshift_connector.connect(**LOGIN, database=DATABASE, ssl=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with step("init"):
        sqlmesh("init", "redshift")
        Path("config.yaml").write_text(CONFIG)
    with step("info"):
        sqlmesh("info")
    with step("plan"):
        sqlmesh("plan", "--auto-apply", "--no-prompts")
        expect(rows("select count(*) from sqlmesh_example.full_model")[0][0] > 0, True)
    with step("run"):
        sqlmesh("run")
    with step("audit"):
        sqlmesh("audit")
    with step("test"):
        sqlmesh("test")
    with step("a second plan with a change"):
        model = Path("models/full_model.sql")
        model.write_text(
            model.read_text().replace(
                "COUNT(DISTINCT id) AS num_orders", "COUNT(DISTINCT id) AS num_orders, MIN(id) AS first_id"
            )
        )
        Path("tests/test_full_model.yaml").unlink(missing_ok=True)
        sqlmesh("plan", "dev", "--auto-apply", "--no-prompts", "--include-unmodified")
        expect(len(rows("select first_id from sqlmesh_example__dev.full_model")) > 0, True)
    with step("table_diff"):
        sqlmesh("table_diff", "prod:dev", "sqlmesh_example.full_model", "-o", "item_id")
    with step("plan to production"):
        sqlmesh("plan", "--auto-apply", "--no-prompts")
        expect(len(rows("select first_id from sqlmesh_example.full_model")) > 0, True)
