"""Compare a day's run that writes its lineage to a file with one without lineage, each in its own scheduler."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from tests.bench.row import Row
from tests.bench.scheduler import MONTH, OURS, REPORTS, TRIES, Cost, middle, scheduler
from tests.bench.setting import Setting


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    config, events = setting.home / "openlineage.yml", setting.home / "events.jsonl"
    config.write_text(f"transport: {{type: file, log_file_path: {events}, append: true}}")
    plain = days(setting, {"AIRFLOW__OPENLINEAGE__DISABLED": "True"})
    sent = days(setting, {"OPENLINEAGE_CONFIG": str(config)})
    lines = len(events.read_text().splitlines())
    for name, ours, other in (("wall", sent.wall, plain.wall), ("CPU seconds", sent.cpu, plain.cpu)):
        yield Row(
            f"a day's run with lineage by the same without: {name}",
            ours / other,
            1.05,
            2,
            details=f"{ours:.1f} s by {other:.1f} s; {lines:,} events in {1 + TRIES} runs",
        )


def days(setting: Setting, environment: dict[str, str]) -> Cost:
    """Return the cost of a day's run without `reports`. The first run is not counted, because it creates the tables."""
    with scheduler(setting, environment) as running:
        running.switch(REPORTS, is_paused=True)
        costs = [running.run(OURS, day) for day in itertools.islice(range(1, MONTH.days), 1 + TRIES)]
    return middle(costs[-TRIES:])
