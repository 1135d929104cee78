"""Check window functions: https://docs.aws.amazon.com/redshift/latest/dg/c_Window_functions.html."""

from __future__ import annotations

from ...errors import Refused
from ..refusals import not_covered, redshift_lacks
from .parse import Node

# With ORDER BY, these functions need a frame. The others must not have one.
_FRAMED = {
    "avg", "count", "max", "min", "sum", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp",
    "first_value", "last_value", "nth_value",
}  # fmt: skip
_UNFRAMED = {
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "ratio_to_report",
    "listagg", "median",
}  # fmt: skip
_ORDERED = {"lag", "lead"}
# Bits of FRAMEOPTION_... in PostgreSQL's parsenodes.h.
_GIVEN, _RANGE, _GROUPS, _EXCLUDE = 0x1, 0x2, 0x8, 0x38000


def check(name: str, window: Node) -> None:
    """Raise Refused for a function that cannot have OVER, an unsupported frame, or a missing frame or ORDER BY."""
    options = window.get("frameOptions", 0)
    given, ordered = bool(options & _GIVEN), "orderClause" in window
    if name in ("percentile_cont", "percentile_disc"):
        raise not_covered(f"{name.upper()} as a window function (use GROUP BY)")
    if name not in _FRAMED | _UNFRAMED:
        raise redshift_lacks(f"{name}() as a window function")
    if given and options & _RANGE:
        raise redshift_lacks("RANGE in the frame of a window (use ROWS)")
    if given and options & _GROUPS:
        raise redshift_lacks("GROUPS in the frame of a window (use ROWS)")
    if options & _EXCLUDE:
        raise redshift_lacks("EXCLUDE in the frame of a window")
    if given and name in _UNFRAMED:
        raise redshift_lacks(f"frame clause for the window function {name}()")
    if given and not ordered:
        raise redshift_lacks("frame clause in a window without ORDER BY")
    if name in _ORDERED and not ordered:
        raise redshift_lacks(f"{name}() in a window without ORDER BY")
    if name in _FRAMED and ordered and not given:
        raise Refused(
            "Aggregate window functions with an ORDER BY clause require a frame clause"
            " (add ROWS UNBOUNDED PRECEDING)"
        )
