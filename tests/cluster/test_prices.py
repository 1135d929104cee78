"""Test that the costs in docs/aws.md and docs/scale.md follow from the prices in the code."""

from __future__ import annotations

from include.cluster import prices
from tests.project.files import PROJECT


def test_the_cost_table_shows_the_prices_of_the_code() -> None:
    text = (PROJECT / "docs" / "aws.md").read_text()
    table = text[text.index("## Cost") : text.index("## Permissions")]
    for family in ("rg", "ra3"):
        found = {kind: price for kind, price in prices.NODE_HOUR.items() if kind.startswith(family)}
        per_hour = ", ".join(f"{price:g}" for price in found.values())
        assert f"| {', '.join(found)} | {per_hour} per node and hour" in table
    assert f"about {prices.RPU_HOUR} per RPU and hour of queries (8 RPU: {8 * prices.RPU_HOUR:.2f})" in table
    assert f"| storage, snapshots | {prices.REDSHIFT_GB_MONTH} per GB and month |" in table
    secrets = (
        "three secrets: two connections, and the master user's password, also while the cluster is paused"
    )
    assert f"| {secrets} | {3 * prices.SECRET_MONTH:.2f} per month |" in table


def test_the_default_cluster_per_month_follows_from_the_prices() -> None:
    text = (PROJECT / "docs" / "scale.md").read_text()
    for kind in ("rg.large", "ra3.large"):
        hour = prices.NODE_HOUR[kind]
        row = f"| {kind}, {hour:g} per hour | {730 * hour:.0f} | {730 / 12 * hour:.0f} |"
        assert row in text, row
