"""Weekly care of the warehouse: what is over goes, and the tables are sorted and measured anew."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import redshift_connector

from include.sparkify import lake, run, warehouse
from include.sparkify.errors import aws_error, warehouse_error
from include.sparkify.settings import settings, star

# Table and the column that says how old a row is.
HISTORY = {
    "quality_results": "checked_at",
    "rejected_lines": "rejected_at",
    "publications": "published_at",
}

log = logging.getLogger(__name__)


def sweep() -> list[str]:
    """Drop the schemas that dead runs left; their names."""
    return run.sweep()


def forget_old_rows() -> dict[str, int]:
    """Delete rows of the operations' tables older than ``keep_days``; rows deleted in each.

    The newest publication stays however old it is: the next one counts on from it.
    """
    days = int(settings().keep_days)

    def work(cursor: Any) -> dict[str, int]:
        warehouse.lock(cursor)
        deleted = {}
        for table, moment in HISTORY.items():
            newest = (
                f" and generation < (select max(generation) from {star()}.{table})"
                if table == "publications"
                else ""
            )
            cursor.execute(
                f"delete from {star()}.{table} where {moment} < dateadd(day, -{days}, getdate()){newest}"
            )
            deleted[table] = max(cursor.rowcount, 0)
        return deleted

    deleted = warehouse.transaction(work, f"delete rows older than {days} days") or {}
    log.info("deleted what is older than %d days: %s", days, deleted)
    return deleted


def forget_old_files() -> int:
    """Delete old files of the work bucket: what runs wrote for COPY after ``keep_run_days``, their reports after
    ``keep_days``; how many objects.

    :raises ConfigurationError, TransientError: as AWS says.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    bucket = settings().work_bucket
    now = datetime.now(UTC).replace(tzinfo=None)
    s3, deleted = lake.client(), 0
    old = [
        item.key
        for prefix, days in (("runs/", settings().keep_run_days), ("reports/", settings().keep_days))
        for item in lake.listing(s3, bucket, prefix)
        if item.last_modified < now - timedelta(days=days)
    ]
    try:
        # A thousand is the most that one call takes.
        for start in range(0, len(old), 1000):
            batch = [{"Key": key} for key in old[start : start + 1000]]
            errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get(
                "Errors", []
            )
            for error in errors:
                log.warning("s3://%s/%s stays: %s", bucket, error["Key"], error["Message"])
            deleted += len(batch) - len(errors)
    except (BotoCoreError, ClientError) as error:
        raise aws_error(error, f"delete old files of s3://{bucket}") from error
    log.info("deleted %d of %d old objects of s3://%s", deleted, len(old), bucket)
    return deleted


def vacuum_and_analyze() -> list[str]:
    """VACUUM and ANALYZE every table of the star's schema; their names.

    Neither may run inside a transaction, and the cluster vacuums one table at a time.

    :raises ConfigurationError, DataError, TransientError: as the warehouse says; what was done stays done.
    """
    tables = [
        name for (name,) in warehouse.query("select tablename from pg_tables where schemaname = %s", star())
    ]
    connection = warehouse.connect()
    try:
        connection.autocommit = True
        cursor = connection.cursor()
        for table in sorted(tables):
            for action in ("vacuum", "analyze"):
                try:
                    cursor.execute(f"{action} {star()}.{table}")
                except (redshift_connector.Error, OSError) as error:
                    raise warehouse_error(error, f"{action} {star()}.{table}") from error
            log.info("vacuumed and analyzed %s.%s", star(), table)
    finally:
        connection.close()
    return sorted(tables)
