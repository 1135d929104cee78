"""Delete expired rows and files, and run VACUUM and ANALYZE, for the weekly maintenance."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import redshift_connector

from include.sparkify.errors import aws_error, warehouse_error
from include.sparkify.files import lake
from include.sparkify.redshift import warehouse
from include.sparkify.redshift.schema import schema_of
from include.sparkify.settings import environment, ops, settings
from include.sparkify.tables import PUBLISHED

# Tables with rows that expire, and the column with the time of each row.
EXPIRING = {
    "quality_results": "checked_at",
    "rejected_lines": "rejected_at",
    "publish_log": "published_at",
}

log = logging.getLogger(__name__)


def delete_old_rows() -> dict[str, int]:
    """Delete rows of the operations tables that are older than ``keep_days``, and return their number by table.

    The latest version is kept regardless of its age, because the next version number is derived from it.
    """
    days = settings().keep_days

    def work(cursor: Any) -> dict[str, int]:
        warehouse.lock(cursor)
        deleted = {}
        for table, age in EXPIRING.items():
            latest = (
                f" and version < (select max(version) from {ops()}.{table})" if table == "publish_log" else ""
            )
            cursor.execute(
                f"delete from {ops()}.{table} where {age} < dateadd(day, -{days}, getdate()){latest}"
            )
            deleted[table] = max(cursor.rowcount, 0)
        cursor.execute(
            f"delete from {ops()}.changed_days where version < (select min(version) from {ops()}.publish_log)"
        )
        deleted["changed_days"] = max(cursor.rowcount, 0)
        return deleted

    deleted = warehouse.transaction(work, f"delete rows older than {days} days") or {}
    log.info("deleted rows older than %d days: %s", days, deleted)
    return deleted


def delete_old_files() -> int:
    """Delete expired files from the work bucket, and return their number.

    Files for COPY are deleted after ``keep_run_days``, and run reports after ``keep_days``. The listening page is kept,
    because it does not belong to a run.

    :raises ConfigurationError, TransientError: AWS did not respond, or denied access.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from include.reports import listening

    bucket = settings().work_bucket
    now = datetime.now(UTC).replace(tzinfo=None)
    s3, deleted, page = lake.client(), 0, listening.key()
    old = [
        item.key
        for prefix, days in (("runs", settings().keep_run_days), ("reports", settings().keep_days))
        for item in lake.list_objects(s3, bucket, f"{prefix}/{environment()}/")
        if item.last_modified < now - timedelta(days=days) and item.key != page
    ]
    try:
        # A call deletes at most 1,000 objects.
        for start in range(0, len(old), 1000):
            batch = [{"Key": key} for key in old[start : start + 1000]]
            errors = s3.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True}).get(
                "Errors", []
            )
            for error in errors:
                log.warning("s3://%s/%s is not deleted: %s", bucket, error["Key"], error["Message"])
            deleted += len(batch) - len(errors)
    except (BotoCoreError, ClientError) as error:
        raise aws_error(error, f"delete old files of s3://{bucket}") from error
    log.info("deleted %d of %d old objects of s3://%s", deleted, len(old), bucket)
    return deleted


def vacuum_and_analyze() -> list[str]:
    """Run VACUUM and ANALYZE on every published table, and return the names of the tables.

    VACUUM cannot run inside a transaction, and a cluster runs only one VACUUM at a time. It may take longer than other
    statements, so it has no statement timeout, and only the timeout of the task applies.

    :raises ConfigurationError, DataError, TransientError: see
        :func:`include.sparkify.redshift.warehouse.transaction`. The first error is raised after all tables have been
        processed.
    """
    done: list[str] = []
    failed: list[Exception] = []
    for table in PUBLISHED:
        name = f"{schema_of(table)}.{table}"
        # Use one session per table, so that a lost session affects only one table.
        connection = warehouse.connect()
        try:
            connection.autocommit = True
            cursor = connection.cursor()
            cursor.execute("set statement_timeout to 0")
            for action in ("vacuum", "analyze"):
                try:
                    cursor.execute(f"{action} {name}")
                except (redshift_connector.Error, OSError) as error:
                    raise warehouse_error(error, f"{action} {name}") from error
            log.info("vacuumed and analyzed %s", name)
            done.append(name)
        except Exception as error:
            log.error("%s", error)
            failed.append(error)
        finally:
            connection.close()
    if failed:
        raise failed[0]
    return done
