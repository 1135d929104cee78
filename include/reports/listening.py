"""Write the listening page, which shows what people listen to, in one HTML file that needs only a browser.

The warehouse counts all numbers, for each range and level. The page does not add them, because distinct listeners do
not add up. Observable Plot draws the charts. It does not need `eval` and, with d3, has half the bytes of Vega-Lite.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jinja2
import orjson

from include.reports import metrics
from include.sparkify.files import lake
from include.sparkify.redshift import warehouse
from include.sparkify.settings import environment, reports, settings

FOLDER = Path(__file__).parent
SCRIPTS = (FOLDER / "vendor" / "d3.min.js", FOLDER / "vendor" / "plot.umd.min.js", FOLDER / "listening.js")
MONTHS = WEEKS = 13
# Number of weeks for a selected song or artist, of weeks for growth and changes of level, and of days for activity.
WEEKS_OF_ITEM, WEEKS_OF_YEAR, DAYS = 26, 53, 400
# Rows per list of songs or artists. A shorter list is used if the data would be larger than LIMIT.
LENGTHS = (50, 25, 10, 5)
LIMIT = 2_000_000
"""Maximum bytes of data in the page, unless even the shortest lists need more."""
CHARACTERS = 120
"""Maximum characters of a title or name on the page. In the data, it may have 1,024 bytes."""
# One column instead of three, because the driver takes more time per value than the scan.
KEY = "period || '/' || start::varchar || '/' || level"
Ask = Callable[[str], list[tuple[Any, ...]]]


def write() -> str:
    """Write the page to the work bucket, and return its address.

    :raises ConfigurationError, TransientError: the warehouse or the work bucket cannot be used.
    """
    return lake.put(
        lake.client(), settings().work_bucket, key(), render(read()).encode(), "text/html; charset=utf-8"
    )


def read() -> dict[str, Any]:
    """Return the data of the page, from one version of the report tables."""
    return warehouse.transaction(lambda cursor: gather(_ask(cursor)), "read the report tables") or {}


def key() -> str:
    """Return the key of the page in the work bucket, beside the run reports."""
    return f"reports/{environment()}/listening.html"


def _ask(cursor: Any) -> Ask:
    def ask(sql: str) -> list[tuple[Any, ...]]:
        cursor.execute(sql.replace("{r}", reports()))
        return [tuple(row) for row in cursor.fetchall()]

    return ask


def render(facts: dict[str, Any]) -> str:
    """Return the page for the facts of :func:`gather`.

    Text from the data cannot contain code, because it is JSON in a data block.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    scripts = [path.read_text() for path in SCRIPTS]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    # Only `<` could end the data block.
    data = orjson.dumps(facts).decode().replace("<", "\\u003c")
    return environment.from_string((FOLDER / "listening.html").read_text()).render(
        scripts=scripts, digests=digests, data=data, empty=not facts["ranges"]
    )


def gather(ask: Ask) -> dict[str, Any]:
    """Return the data of the page, with as many rows as :data:`LIMIT` allows.

    :param ask: returns the rows of a query, in which ``{r}`` is the schema of the report tables.
    """
    ((first, last),) = ask("select min(day), max(day) from {r}.session_days")
    if last is None:
        return {"ranges": []}
    ranges = _ranges(first, last)
    shown = _condition(one["key"] for one in ranges)
    wanted = _condition(key for one in ranges for key in (one["key"], one["before"]) if key)
    facts = {
        "until": last.isoformat(),
        "from": first.isoformat(),
        "metrics": metrics.metrics(),
        "ranges": ranges,
        "totals": _totals(ask, wanted),
        "parts": _parts(ask, shown),
        "days": _days(ask, last),
        "loads": [
            [*row[:6], str(row[6])[:16]]
            for row in ask(
                "select kind, files, lines, accepted, rejected, refused_files, published_at from {r}.loads order by 1"
            )
        ],
        **_weekly(ask, last),
    }
    for length in LENGTHS:
        facts |= _lists(ask, shown, wanted, length, last)
        if len(orjson.dumps(facts)) <= LIMIT:
            break
    return facts


def _ranges(first: date, last: date) -> list[dict[str, Any]]:
    """Return the ranges of the page with the keys (``period/start``) of their rows and of the previous range's rows."""
    found = [_range("all", "All time", "all", first, last, None)]
    for days in (7, 28):
        start = last - timedelta(days=days - 1)
        before = start - timedelta(days=days)
        found.append(_range(f"last-{days}", f"Last {days} days", f"last_{days}", start, last, before))
    month = last.replace(day=1)
    for _ in range(MONTHS):
        if month < first.replace(day=1):
            break
        before = (month - timedelta(days=1)).replace(day=1)
        end = (month + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        found.append(_range(f"{month:%Y-%m}", f"{month:%B %Y}", "month", month, end, before))
        month = before
    week = last - timedelta(days=last.weekday())
    for _ in range(WEEKS):
        if week + timedelta(days=6) < first:
            break
        year, number, _ = week.isocalendar()
        label, before = f"Week {number} of {year}, from {week:%-d %b}", week - timedelta(days=7)
        found.append(_range(f"{year}-W{number:02}", label, "week", week, week + timedelta(days=6), before))
        week = before
    for one in found:
        if one["end"] > last.isoformat():
            one["label"] += ", so far"
    return found


def _range(name: str, label: str, period: str, start: date, end: date, before: date | None) -> dict[str, Any]:
    return {
        "id": name,
        "label": label,
        "period": period,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "key": f"{period}/{start}",
        "before": before and f"{period}/{before}",
    }


def _condition(keys: Iterable[str]) -> str:
    """Return the condition for the rows of these ranges (``period/start``)."""
    starts: dict[str, set[str]] = defaultdict(set)
    for key in keys:
        period, start = key.split("/")
        starts[period].add(start)
    # Conditions on the columns of the sort key, so that a scan can skip the other periods.
    found = (
        f"period = '{period}' and start in ({', '.join(map(repr, sorted(of)))})"
        for period, of in sorted(starts.items())
    )
    return f"({' or '.join(found)})"


def _totals(ask: Ask, wanted: str) -> dict[str, list[Any]]:
    """Return plays, listeners, sessions, hours, paid plays, known plays and days by period, start and level."""
    rows = ask(
        f"select {KEY}, plays, listeners, sessions, hours, paid_plays, matched_plays, days "
        f"from {{r}}.period_totals where {wanted}"
    )
    return {key: [*counts[:3], float(counts[3]), *counts[4:]] for key, *counts in rows}


def _parts(ask: Ask, shown: str) -> dict[str, dict[str, list[Any]]]:
    """Return [name, count, listeners] of hours, states, devices and pages, with the largest first except for hours."""
    found: dict[str, dict[str, list[Any]]] = defaultdict(dict)
    # The hours of a range are one row, because the driver takes more time per row than the query.
    for key, hours in ask(
        f"select {KEY}, listagg(name || ' ' || counted::varchar || ' ' || listeners::varchar, ',') "
        f"from {{r}}.period_parts where kind = 'hour' and {shown} group by period, start, level"
    ):
        named = (hour.split(" ") for hour in hours.split(","))
        found[key]["hour"] = [[name, int(counted), int(listeners)] for name, counted, listeners in named]
    for key, kind, name, counted, listeners in ask(
        f"select {KEY}, kind, name, counted, listeners from {{r}}.period_parts "
        f"where kind <> 'hour' and {shown} order by counted desc, name asc"
    ):
        found[key].setdefault(kind, []).append([_text(name), counted, listeners])
    return found


def _days(ask: Ask, last: date) -> list[list[Any]]:
    """Return [day, free plays, paid plays, listeners, free listeners, paid listeners] for the last days."""
    since = last - timedelta(days=DAYS - 1)
    days: dict[str, list[Any]] = {}
    for day, level, plays, listeners in ask(
        "select day, coalesce(level, 'all'), sum(plays)::bigint, count(distinct user_id) from {r}.session_days "
        f"where day >= '{since}' group by day, rollup (level) order by day"
    ):
        row = days.setdefault(day.isoformat(), [0, 0, 0, 0, 0])
        if level == "all":
            row[2] = listeners
        else:
            place = 0 if level == "free" else 1
            row[place], row[3 + place] = plays, listeners
    return [[day, *row] for day, row in days.items()]


def _weekly(ask: Ask, last: date) -> dict[str, list[Any]]:
    """Return retention, growth and the changes of level, by week."""
    monday = _monday(last, WEEKS_OF_YEAR)
    # As in level_history, but only from each user's last day before these weeks, because the view reads all days.
    changes = ask(
        f"""
        with recent as (
            select l.user_id, l.day, l.place, l.level, l.since,
                lag(l.level) over (partition by l.user_id order by l.day, l.place) as level_before
            from {{r}}.level_days as l
            left join (
                select user_id, max(day) as day from {{r}}.level_days where day < '{monday}' group by user_id
            ) as b on l.user_id = b.user_id
            where l.day >= coalesce(b.day, '{monday}')
        )
        select date_trunc('week', since)::date, count(case when level = 'paid' then 1 end),
            count(case when level <> 'paid' then 1 end)
        from recent
        where day >= '{monday}' and level <> level_before
        group by 1
        order by 1
        """
    )
    growth = ask(
        "select week, new_listeners, returned, resurrected, dormant from {r}.growth "
        f"where week >= '{monday}' order by week"
    )
    retention = ask(
        "select first_week, weeks_since, cohort, listeners from {r}.retention "
        f"where first_week >= '{_monday(last, WEEKS)}' order by 1, 2"
    )
    return {
        "changes": _plain(changes),
        "growth": _plain(growth),
        "retention": _plain(retention),
    }


def _monday(last: date, weeks: int) -> date:
    """Return the Monday on which the last ``weeks`` weeks begin."""
    return last - timedelta(days=last.weekday() + 7 * (weeks - 1))


def _plain(rows: Any) -> list[list[Any]]:
    return [[row[0].isoformat(), *row[1:]] for row in rows]


def _lists(ask: Ask, shown: str, wanted: str, length: int, last: date) -> dict[str, Any]:
    """Return the lists, the songs and artists in them, and the details that the page shows for a selected item."""
    listed = f"{shown} and rank <= {length}"
    # This order must be the same as in `item` below.
    items = ask(
        f"select kind, song, artist from {{r}}.period_tops where {listed} "
        "group by kind, song, artist order by kind, song, artist"
    )
    lists: dict[str, dict[str, list[Any]]] = defaultdict(lambda: {"song": [], "artist": []})
    # A list is one row, as in _parts.
    for key, kind, rows in ask(
        f"""
        with ranked as (
            select period, start, level, kind, song, artist, rank, plays, listeners, matched_plays,
                lag(start) over (partition by period, level, kind, song, artist order by start) as start_before,
                lag(rank) over (partition by period, level, kind, song, artist order by start) as rank_before
            from {{r}}.period_tops
            where {wanted} and rank <= 100
        ),
        compared as (
            select r.*,
                dense_rank() over (order by kind, song, artist) - 1 as item,
                -- In the range before, and not in one before that.
                case
                    when start_before = case period
                        when 'month' then dateadd(month, -1, start)::date when 'last_28' then start - 28 else start - 7
                    end then rank_before
                end as before
            from ranked as r
            where {listed}
        )
        select {KEY}, kind,
            listagg(
                item::varchar || ' ' || plays::varchar || ' ' || listeners::varchar || ' '
                || matched_plays::varchar || ' ' || coalesce(before, 0)::varchar, ','
            ) within group (order by rank)
        from compared
        group by period, start, level, kind
        """
    ):
        numbers = ([*map(int, row.split(" "))] for row in rows.split(","))
        lists[key][kind] = [[*counts, before or None] for *counts, before in numbers]
    weeks, places = _opened(ask, listed, last)
    return {
        "length": length,
        "lists": lists,
        "firstWeek": _monday(last, WEEKS_OF_ITEM).isoformat(),
        "items": [
            [kind, _text(song), _text(artist), weeks.get(item, []), places.get(item, []), digest]
            for item in items
            for kind, song, artist in [item]
            for digest in [hashlib.md5(orjson.dumps(item)).hexdigest()[:16]]
        ],
    }


def _opened(ask: Ask, listed: str, last: date) -> tuple[Any, Any]:
    """Return [week, free plays, paid plays] and the first [location, plays] of the songs and artists in the lists."""
    monday = _monday(last, WEEKS_OF_ITEM)
    weeks: dict[tuple[str, str, str], list[Any]] = {}
    places: dict[tuple[str, str, str], list[Any]] = defaultdict(list)
    for kind, song, joined in (
        ("song", "s.song", "s.song = t.song and s.artist = t.artist"),
        ("artist", "''::varchar(1024)", "s.artist = t.artist"),
    ):
        of_items = (
            "{r}.song_days as s inner join (select distinct song, artist from {r}.period_tops "
            f"where {listed} and kind = '{kind}') as t on {joined} "
            f"where s.day >= '{monday}'"
        )
        for name, artist, of_weeks in ask(
            "select song, artist, listagg(week::varchar || '/' || free::varchar || '/' || paid::varchar, ',') "
            f"from (select (s.day - '{monday}'::date) / 7 as week, {song} as song, s.artist, "
            "sum(case when s.level = 'free' then s.plays else 0 end)::bigint as free, "
            f"sum(case when s.level = 'paid' then s.plays else 0 end)::bigint as paid from {of_items} "
            "group by 1, 2, 3) as w group by song, artist"
        ):
            weeks[kind, name, artist] = sorted([*map(int, week.split("/"))] for week in of_weeks.split(","))
        for name, artist, location, plays in ask(
            "select song, artist, location, plays from (select w.*, row_number() over "
            "(partition by song, artist order by plays desc, location asc) as place from ("
            f"select {song} as song, s.artist, coalesce(nullif(s.location, ''), 'unknown') as location, "
            f"sum(s.plays)::bigint as plays from {of_items} group by 1, 2, 3) as w) as p "
            "where place <= 5 order by plays desc, location asc"
        ):
            places[kind, name, artist].append([_text(location), plays])
    return weeks, places


def _text(value: str) -> str:
    return value if len(value) <= CHARACTERS else value[: CHARACTERS - 1] + "…"
