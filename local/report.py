"""Fetch the pages in the work bucket: the run reports of `sparkify` and the listening page of `reports`."""

from __future__ import annotations

import json
from typing import Any

from local import lake
from local.airflow_settings import buckets
from local.home import Home, Problem, say, shown
from local_redshift import service

LISTENING = "/listening.html"


def newest(running: service.Running) -> tuple[str, dict[str, Any]] | None:
    """Return the S3 folder of the newest run report and its report.json, or None if no run has written one."""
    work = buckets()[1]
    found = [
        item for item in lake.list_objects(running, work, "reports/") if item["Key"].endswith("/report.json")
    ]
    if not found:
        return None
    key = max(found, key=lambda item: item["LastModified"])["Key"]
    body = running.client("s3").get_object(Bucket=work, Key=key)["Body"].read()
    return key.rpartition("/")[0], json.loads(body)


def fetch(home: Home, running: service.Running) -> None:
    """Copy report.html and report.json of the newest run into .local/report, and print the page's path.

    :raises Problem: no run has written a report.
    """
    found = newest(running)
    if found is None:
        raise Problem("no run has written a report yet.\nNext: make run", 1)
    home.report.mkdir(exist_ok=True)
    for name in ("report.html", "report.json"):
        answer = running.client("s3").get_object(Bucket=buckets()[1], Key=f"{found[0]}/{name}")
        (home.report / name).write_bytes(answer["Body"].read())
    page = home.report / "report.html"
    say(f"{shown(page)}   for a browser: {page.as_uri()}")


def fetch_listening(home: Home, running: service.Running) -> None:
    """Copy the listening page into .local/report, and print its path.

    :raises Problem: the DAG `reports` has not written it yet.
    """
    work = buckets()[1]
    found = [
        key
        for item in lake.list_objects(running, work, "reports/")
        if (key := item["Key"]).endswith(LISTENING)
    ]
    if not found:
        raise Problem("the DAG reports has not written the page yet.\nNext: make run", 1)
    home.report.mkdir(exist_ok=True)
    page = home.report / LISTENING.lstrip("/")
    page.write_bytes(running.client("s3").get_object(Bucket=work, Key=found[0])["Body"].read())
    say(f"{shown(page)}   for a browser: {page.as_uri()}")


def print_checks(running: service.Running, run_id: str) -> None:
    """Print the number of passed checks per table of a run, and each check that did not pass."""
    found = newest(running)
    if found is None or found[1]["run"]["run_id"] != run_id:
        say("\nthe run has no report: see the task `close_run` in its log")
        return
    results = [check for check in found[1]["checks"] or [] if check["status"] != "not run"]
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
