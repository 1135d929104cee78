"""The metrics of ``metrics.yaml`` as SQL and as the semantic models of dbt."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_name("metrics.yaml")
_AGGREGATES = {"count": "count({})", "count_distinct": "count(distinct {})", "sum": "sum({})"}


@functools.cache
def metrics() -> dict[str, dict[str, Any]]:
    """Return the metrics of the file by name."""
    return yaml.safe_load(FILE.read_text())


def sql(name: str) -> str:
    """Return a metric as an expression over rows of ``songplays``.

    A ratio is a decimal, or NULL if there are no rows.
    """
    metric = metrics()[name]
    if "ratio" in metric:
        numerator, denominator = map(sql, metric["ratio"])
        return f"{numerator}::decimal(18, 4) / nullif({denominator}, 0)"
    return _AGGREGATES[metric["agg"]].format(metric["expr"])


def semantic_models() -> dict[str, Any]:
    """Return the content of a dbt properties file: one semantic model over the plays, and the metrics on it."""
    measured = {name: metric for name, metric in metrics().items() if "agg" in metric}
    return {
        "version": 2,
        "semantic_models": [
            {
                "name": "plays",
                "description": "One row per play, from the published songplays.",
                "model": "ref('plays')",
                "defaults": {"agg_time_dimension": "start_time"},
                "entities": [
                    {"name": "songplay", "type": "primary", "expr": "songplay_id"},
                    {"name": "user", "type": "foreign", "expr": "user_id"},
                ],
                "dimensions": [
                    {"name": "start_time", "type": "time", "type_params": {"time_granularity": "day"}},
                    *({"name": name, "type": "categorical"} for name in ("level", "artist", "location")),
                ],
                "measures": [
                    {"name": name, "agg": metric["agg"], "expr": metric["expr"]}
                    for name, metric in measured.items()
                ],
            }
        ],
        "metrics": [_dbt_metric(name, metric) for name, metric in metrics().items()],
    }


def _dbt_metric(name: str, metric: dict[str, Any]) -> dict[str, Any]:
    described = {"name": name, "label": metric["label"], "description": metric["definition"]}
    if "ratio" in metric:
        numerator, denominator = metric["ratio"]
        return described | {
            "type": "ratio",
            "type_params": {"numerator": numerator, "denominator": denominator},
        }
    return described | {"type": "simple", "type_params": {"measure": name}}
