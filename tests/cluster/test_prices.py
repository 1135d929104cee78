"""The cost table of docs/aws.md shows the prices of the code."""

from __future__ import annotations

from include.cluster import prices
from tests.project.files import PROJECT


def test_the_cost_table_shows_the_prices_of_the_code() -> None:
    text = (PROJECT / "docs" / "aws.md").read_text()
    table = text[text.index("## Cost") : text.index("## Permissions")]
    per_hour = ", ".join(f"{price:g}" for price in prices.NODE_HOUR.values())
    assert f"| {', '.join(prices.NODE_HOUR)} | {per_hour} per node and hour" in table
    assert f"about {prices.RPU_HOUR} per RPU and hour of queries (8 RPU: {8 * prices.RPU_HOUR:.2f})" in table
    assert f"| storage, snapshots | {prices.REDSHIFT_GB_MONTH} per GB and month |" in table
    assert f"| three secrets | {3 * prices.SECRET_MONTH:.2f} per month |" in table
