"""Our version of the DAG in most public projects on this data: 11 tasks with the providers' operators.

A run loads the log file of the day ``start``. Airflow starts no process for `begin` and `end`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator, SQLTableCheckOperator

try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ModuleNotFoundError:  # Airflow 2
    from airflow.operators.empty import EmptyOperator

STAGED = {
    "events": (
        "log_data/{{ params.start[:4] }}/{{ params.start[5:7] }}/{{ params.start }}",
        ["json 'auto ignorecase'", "timeformat 'epochmillisecs'", "emptyasnull"],
    ),
    "songs": ("song_data", ["json 'auto'"]),
}


def script(name: str) -> SQLExecuteQueryOperator:
    """Return the task that runs a file of this folder."""
    return SQLExecuteQueryOperator(
        task_id=name, sql=f"{name}.sql", conn_id="redshift_default", split_statements=True
    )


with DAG(
    "usual",
    schedule=None,
    start_date=datetime(2018, 11, 1, tzinfo=UTC),
    is_paused_upon_creation=False,
    # Airflow reads this file through a symbolic link.
    template_searchpath=[str(Path(__file__).resolve().parent)],
    params={"start": "2018-11-01", "end": "2018-11-02"},
):
    stage = [
        S3ToRedshiftOperator(
            task_id=f"stage_{name}",
            schema="usual",
            table=f"staging_{name}",
            s3_bucket="{{ var.json.sparkify.source_bucket }}",
            s3_key=key,
            method="REPLACE",
            copy_options=options,
            redshift_conn_id="redshift_default",
            aws_conn_id="aws_copy_role",
        )
        for name, (key, options) in STAGED.items()
    ]
    fact = script("songplays")
    dimensions = [script(name) for name in ("users", "songs", "artists", "time")]
    check = SQLTableCheckOperator(
        task_id="check",
        table="usual.songplays",
        conn_id="redshift_default",
        checks={"has_rows": {"check_statement": "count(*) > 0"}},
    )
    EmptyOperator(task_id="begin") >> script("create") >> stage >> fact
    fact >> dimensions >> check >> EmptyOperator(task_id="end")
