"""Compare one more day after 100 months of history with one after 1 month: load, reports and listening page."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import redshift_connector

from include.reports import listening
from include.sparkify.redshift import warehouse
from include.sparkify.redshift.schema import schema_of
from local import sample
from tests.bench.row import Row, seconds
from tests.bench.setting import Setting, analyze
from tests.reports.updating import update
from tests.world import World

SIZES = (1, 100)
# One month of history and the new days after it.
LAKE = sample.Spec(days=39)
NEW_DAYS = [f"2018-12-{day:02}" for day in range(1, 11)]
# The first days after the history grows are not counted: caches fill, and the server cleans up after the inserts.
UNCOUNTED = 2


def measure(setting: Setting) -> Iterator[Row]:
    """Yield the rows of this part."""
    folder = setting.sample(LAKE)
    with setting.stand_in() as stand_in:
        world = stand_in.world("history", folder)
        world.load("2018-11-01", NEW_DAYS[0])
        load, reports, page, remakes, ranges = {}, {}, {}, {}, {}
        months = 1
        for size in SIZES:
            while months < size:
                more = min(months, size - months)
                age(world, months, more)
                months += more
            analyze(world)
            remakes[size] = seconds(lambda: update(remake=True))
            analyze(world)
            load[size], reports[size], page[size] = load_days(world, update, listening.write)
            ranges[size] = len(listening.read()["ranges"])
            forget(world)
        few, many = SIZES
        yield Row(
            f"one more day at {many} months of history by {few}: load",
            load[many] / load[few],
            1.2,
            1.8,
            details=f"{load[many]:.2f} s by {load[few]:.2f} s; {world.count('events'):,} events",
        )
        yield Row(
            f"one more day at {many} months of history by {few}: the reports",
            reports[many] / reports[few],
            1.3,
            2,
            details=f"{reports[many]:.2f} s by {reports[few]:.2f} s; "
            f"made from nothing they take {remakes[many]:.1f} s by {remakes[few]:.1f} s",
        )
        yield Row(
            f"one more day at {many} months of history by {few}: the listening page",
            page[many] / page[few],
            2,
            3,
            details=f"{page[many]:.2f} s by {page[few]:.2f} s; {ranges[many]} ranges by {ranges[few]}",
        )


def load_days(world: World, *after: Callable[[], object]) -> list[float]:
    """Load the new days one by one. Return the median seconds of the load and of each step after it."""
    times = [
        [seconds(lambda day=day, end=end: world.load(day, end)), *map(seconds, after)]
        for day, end in zip(NEW_DAYS, NEW_DAYS[1:], strict=False)
    ]
    return [statistics.median(of_step) for of_step in zip(*times[UNCOUNTED:], strict=True)]


def forget(world: World) -> None:
    """Delete the new days, as if they had never been loaded."""

    def work(cursor: redshift_connector.Cursor) -> None:
        for table, when in {
            "events": "start_time",
            "songplays": "start_time",
            "time": "start_time",
            "changed_days": "day",
            "loaded_files": "file_date",
        }.items():
            cursor.execute(f"delete from {schema_of(table)}.{table} where {when} >= %s", (NEW_DAYS[0],))

    warehouse.transaction(work, "forget the new days")


def age(world: World, months: int, more: int) -> None:
    """Insert copies of the newest ``more`` months before the oldest of ``months``. A month is 30 days here."""
    days = 30 * months
    earlier = f"dateadd(day, -{days}, {{0}})"
    other = f"{{0}} || '-{months}'"
    changes = {
        "events": {
            "start_time": earlier,
            "file_date": f"{earlier}::date",
            "ts": f"{{0}} - {days}::bigint * 86400000",
            "source_key": other,
            # With the same session IDs, each session would last for years.
            "session_id": f"{{0}} + {months} * 100000",
        },
        "songplays": {
            "start_time": earlier,
            "songplay_id": f"md5({{0}} || '{months}')",
            "session_id": f"{{0}} + {months} * 100000",
        },
        "time": {"start_time": earlier},
        "loaded_files": {
            "file_date": f"{earlier}::date",
            "first_event": earlier,
            "last_event": earlier,
            "source_key": other,
        },
    }

    def work(cursor: redshift_connector.Cursor) -> None:
        for table, changed in changes.items():
            schema = schema_of(table)
            cursor.execute(
                "select column_name from information_schema.columns where table_schema = %s and table_name = %s "
                "order by ordinal_position",
                (schema, table),
            )
            names = [name for (name,) in cursor.fetchall()]
            values = [changed.get(name, "{0}").format(name) for name in names]
            when = "file_date" if table == "loaded_files" else "start_time"
            cursor.execute(
                f'insert into {schema}."{table}" ({", ".join(names)}) select {", ".join(values)} '
                f"from {schema}.\"{table}\" where {when} >= dateadd(day, -{30 * (more - 1)}, '2018-11-01'::timestamp)"
            )

    warehouse.transaction(work, "age the history")
