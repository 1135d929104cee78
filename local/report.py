"""Fetch the pages in the work bucket: the run reports of `sparkify` and the listening page of `reports`."""

from __future__ import annotations

import json

from local import lake
from local.airflow_settings import buckets
from local.home import Home, Problem, say, shown
from local_redshift import service


def newest(running: service.Running, name: str) -> bytes | None:
    """Return the newest page or file ``name`` below ``reports/`` in the work bucket, or None if there is none."""
    work = buckets()[1]
    listed = lake.list_objects(running, work, "reports/")
    found = [item for item in listed if item["Key"].endswith(f"/{name}")]
    if not found:
        return None
    key = max(found, key=lambda item: item["LastModified"])["Key"]
    return bytes(running.client("s3").get_object(Bucket=work, Key=key)["Body"].read())


def fetch(home: Home, running: service.Running, name: str) -> None:
    """Copy the newest page ``name`` into .local/report, and print its path.

    :raises Problem: no run has written it.
    """
    content = newest(running, name)
    if content is None:
        raise Problem(f"no run has written {name} yet.\nNext: make run", 1)
    home.report.mkdir(exist_ok=True)
    page = home.report / name
    page.write_bytes(content)
    say(f"{shown(page)}   for a browser: {page.as_uri()}")


def print_checks(running: service.Running, run_id: str) -> None:
    """Print the number of passed checks per table of a run, and each check that did not pass."""
    found = json.loads(newest(running, "report.json") or "{}")
    if not found or found["run"]["run_id"] != run_id:
        say("\nthe run has no report: see the task `close_run` in its log")
        return
    results = [check for check in found["checks"] or [] if check["status"] != "not run"]
    if not results:
        say("\nno check ran: nothing was new")
        return
    say(f"\nchecks: {sum(check['status'] == 'pass' for check in results)} of {len(results)} passed")
    for table in sorted({check["table"] for check in results}):
        states = [check["status"] == "pass" for check in results if check["table"] == table]
        say(f"  {table:<20} {sum(states):>3} of {len(states)}")
    for check in results:
        if check["status"] != "pass":
            expected = check["description"]
            say(
                f"  {check['status']}: {check['table']}.{check['check']}: {expected}; found {check['actual']}"
            )
