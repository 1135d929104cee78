"""Write the run report as an HTML page, and the same facts as JSON."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import orjson

from include.sparkify.files import lake
from include.sparkify.settings import environment, settings
from include.sparkify.watching import run_facts

PREFIX = "reports"
TEMPLATE = Path(__file__).with_name("run_report.html")


def write(context: Mapping[str, Any]) -> str:
    """Write ``report.html`` and ``report.json`` for the run to the work bucket, and return the URI of the page.

    :param context: the Airflow context of a task in the run. All other tasks except `check_complete` must have ended.
    :raises ConfigurationError, TransientError: the objects cannot be written to the work bucket.
    """
    facts = run_facts.gather(context)
    s3, bucket = lake.client(), settings().work_bucket
    folder = f"{PREFIX}/{environment()}/{_folder_name(context['run_id'])}"
    body = orjson.dumps(facts, option=orjson.OPT_INDENT_2)
    lake.put(s3, bucket, f"{folder}/report.json", body, "application/json")
    return lake.put(s3, bucket, f"{folder}/report.html", render(facts).encode(), "text/html; charset=utf-8")


def _folder_name(run_id: str) -> str:
    """Return a readable name that is unique for each run. A run that is repeated replaces its report."""
    plain = re.sub(r"[^a-z0-9]+", "_", run_id.lower()).strip("_")[:40]
    return f"{plain}_{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def render(facts: Mapping[str, Any]) -> str:
    """Return the HTML page, in which all data is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters.update(number=_number, percent=_percent, duration=_duration, moment=_moment)
    return environment.from_string(TEMPLATE.read_text()).render(facts)


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _percent(part: float, whole: float, decimals: int = 2) -> str:
    return f"{part / whole:.{decimals}%}" if whole else "–"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _moment(text: str | None) -> str:
    """Return a date such as 1 Nov 2018 for 2018-11-01T00:00:00, with the time if it is not midnight."""
    if text is None:
        return ""
    moment = datetime.fromisoformat(text)
    day = f"{moment.day} {moment:%b %Y}"
    return day if moment.time() == datetime.min.time() else f"{day} {moment:%H:%M}"
