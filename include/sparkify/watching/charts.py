"""Draw the charts of a run report as inline SVG: text stays text, and there is no script in them."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import date2num, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

# Also distinguishable by lightness, for color-blind readers; the style of the page has the same values.
FREE, PAID, PALE, BEFORE, USUAL, INK = "#f0a35e", "#27548a", "#e3e8ed", "#c9d1da", "#8a94a0", "#3d4754"
HOURS = LinearSegmentedColormap.from_list("hours", ["#f4f6f8", "#9dbbd8", PAID, "#12294a"])
SIZE = (6.6, 2.7)  # inches; the page scales them

# A day of the star: see include.sparkify.watching.run_facts.
Day = dict[str, Any]


def plays_by_day(days: Sequence[Day]) -> str:
    """Return stacked bars, free below paid; days before the interval of the run are pale."""
    figure, axes = _axes("plays-by-day")
    moments = _moments(days)
    free, paid = ([day[level] for day in days] for level in ("free", "paid"))
    axes.bar(moments, free, 0.8, color=[FREE if day["own"] else PALE for day in days])
    axes.bar(moments, paid, 0.8, bottom=free, color=[PAID if day["own"] else BEFORE for day in days])
    _dates(axes, days)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return _svg(figure, "Plays per day, free and paid", "plays-by-day")


def plays_by_hour(days: Sequence[Day]) -> str:
    """Return a field per day and hour, darker with more plays."""
    figure, axes = _axes("plays-by-hour")
    moments = _moments(days)
    counts = [[day["hours"][hour] for day in days] for hour in range(24)]
    edges = [*(moment - 0.5 for moment in moments), moments[-1] + 0.5]
    axes.pcolormesh(edges, range(25), counts, cmap=HOURS, vmin=0, edgecolors="white", linewidth=0.5)
    _dates(axes, days)
    axes.set_yticks([0.5, 6.5, 12.5, 18.5, 23.5], ["0 h", "6 h", "12 h", "18 h", "23 h"])
    axes.invert_yaxis()
    axes.grid(visible=False)
    return _svg(figure, "Plays by day and hour of the day, UTC", "plays-by-hour")


def match_rate(days: Sequence[Day]) -> str:
    """Return a point per day; the line is all days together."""
    figure, axes = _axes("match-rate")
    some = [day for day in days if day["plays"]]
    moments, rates = _moments(some), [day["matched"] / day["plays"] for day in some]
    colours = [PAID if day["own"] else BEFORE for day in some]
    axes.vlines(moments, 0, rates, color=colours, linewidth=1.5)
    axes.scatter(moments, rates, color=colours, s=18, zorder=3)
    plays = sum(day["plays"] for day in some)
    axes.axhline(sum(day["matched"] for day in some) / plays, color=USUAL, linewidth=1, linestyle=(0, (4, 3)))
    _dates(axes, days)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0 if max(rates) >= 0.05 else 1))
    return _svg(figure, "Share of plays that match a song, by day", "match-rate")


def volume(days: Sequence[Day]) -> str:
    """Return the plays per day against the same weekday of the four weeks before, with a band of half to double."""
    figure, axes = _axes("volume")
    for day, moment in zip(days, _moments(days), strict=True):
        usual = day["usual"]
        if usual is not None:
            axes.bar(moment, 1.5 * usual, 0.8, bottom=0.5 * usual, color=PALE)
            axes.hlines(usual, moment - 0.4, moment + 0.4, color=USUAL, linewidth=1.5)
        odd = usual is not None and not 0.5 * usual <= day["plays"] <= 2 * usual
        colour = "#b3261e" if odd else PAID if day["own"] else BEFORE
        axes.scatter([moment], [day["plays"]], s=24, color=colour, zorder=3)
    _dates(axes, days)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return _svg(figure, "Plays per day against the same weekday of the four weeks before", "volume")


def _moments(days: Sequence[Day]) -> list[float]:
    return [float(date2num(datetime.date.fromisoformat(day["day"]))) for day in days]


def _axes(name: str) -> tuple[Figure, Axes]:
    """Return an empty chart. A Figure, not pyplot: charts and tasks share nothing."""
    # Text needs no font in the page; the salt keeps the ids of several charts apart.
    matplotlib.rcParams.update({"svg.fonttype": "none", "font.family": "sans-serif", "svg.hashsalt": name})
    figure = Figure(SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(BEFORE)
    axes.tick_params(length=0, labelsize=9, colors=INK)
    axes.grid(axis="y", color="#e4e8ec", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _dates(axes: Axes, days: Sequence[Day]) -> None:
    """Label every day, week or fourth week, counted from the last day, with a little room at both ends."""
    moments = _moments(days)
    step = next(step for step in (1, 7, 28, len(moments)) if len(moments) <= 9 * step)
    axes.set_xticks(moments[::-1][::step], [f"{num2date(moment):%-d %b}" for moment in moments[::-1][::step]])
    axes.set_xlim(moments[0] - 0.7, moments[-1] + 0.7)


def _svg(figure: Figure, label: str, name: str) -> str:
    """Return the figure as an ``svg`` element with a name for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    return text.replace("<svg ", f'<svg class="chart" id="{name}" role="img" aria-label="{label}" ', 1)
