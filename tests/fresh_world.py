"""A world for tests that only deliver and load files: its tables are created once, and emptied before every test."""

from __future__ import annotations

from typing import Any

from include.sparkify.tasks.publish import check_complete
from include.sparkify.watching import run_facts, run_report
from tests.world import World


class FreshWorld(World):
    """A world that returns the results of its loads."""

    def plan(self, context: Any) -> list[str]:
        chunks = super().plan(context)
        self.latest_plan = context["pushed"]["plan", "plan"]
        return chunks

    def finish(self, context: Any) -> None:
        """Build and publish a staged run, without its checks."""
        self.build(context)
        self.pass_all(context)
        check_complete(self.publish(context))

    def items(self) -> list[int]:
        """Return the item_in_session of every songplay: these tests identify lines by it."""
        return [item for (item,) in self.rows("select item_in_session from {s}.songplays order by 1")]

    def rejected(self) -> list[tuple[str, int, str, str]]:
        """Return (key, line number, column, reason) of every rejected line, in order."""
        return self.rows(
            "select source_key, line_number, column_name, reason from {o}.rejected_lines order by 1, 2"
        )

    def ledger(self) -> dict[str, tuple[int, int, int]]:
        """Return (lines, accepted, rejected) of every file in the ledger."""
        found = self.rows("select source_key, lines, accepted, rejected from {o}.loaded_files")
        return {key: (lines, accepted, rejected) for key, lines, accepted, rejected in found}

    def warnings(self) -> dict[str, str]:
        """Return a sample of failing rows for every ``warn`` check that did not pass, by the name of the check."""
        return dict(
            self.rows(
                "select table_name || '.' || check_name, sample from {o}.quality_results "
                "where not passed and severity = 'warn'"
            )
        )

    def report(self, start: str, end: str) -> tuple[dict[str, Any], str]:
        """Return the facts and the page of the report on the latest run, which loaded this interval."""
        (run_id,) = self.rows("select run_id from {o}.publish_log order by version desc limit 1")[0]
        context = self.context(start, end, run_id=run_id)
        context["pushed"]["plan", "plan"] = self.latest_plan
        self.closing(context, plan="success", publish="success")
        facts = run_facts.gather(context)
        return facts, run_report.render(facts)
