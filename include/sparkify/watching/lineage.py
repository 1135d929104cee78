"""Provide OpenLineage lineage: the tables and columns that each task of `sparkify` and `reports` reads and writes.

If lineage is enabled, Airflow's OpenLineage provider imports this module, because ``AIRFLOW__OPENLINEAGE__EXTRACTORS``
names :class:`Extractor`. Without this extractor, the provider would open another connection to the warehouse for each
task, send the SQL of the task, and create new datasets in every run, because each run has a separate schema. With this
extractor, a dataset has the same name in every run, the warehouse is not queried, and no SQL is sent.

Names follow https://openlineage.io/docs/spec/naming: ``redshift://<cluster>.<region>:<port>`` with
``<database>.<schema>.<table>``, and ``s3://<bucket>`` with a prefix. The tables of a run schema appear in the schema
``<star>_run``.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jinja2
import openlineage_sql
import sqlparse
from airflow.providers.amazon.aws.hooks.redshift_sql import RedshiftSQLHook
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.extractors.base import BaseExtractor, DefaultExtractor
from openlineage.client.event_v2 import Dataset, InputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    schema_dataset,
)

from include.reports import publish as reports
from include.sparkify import settings, tables
from include.sparkify.files import contract
from include.sparkify.redshift.reach import CONN_ID
from include.sparkify.tasks import checks

# The OpenLineage severity for each severity of a check.
SEVERITY = {"fail": "error", "warn": "warn"}

Column = tuple[str, str]
"""A dataset and the name of one of its columns."""


@dataclasses.dataclass
class Flow:
    """The origins of a dataset that a task writes, for the whole dataset and for each column."""

    inputs: set[str] = dataclasses.field(default_factory=set)
    columns: dict[str, set[Column]] = dataclasses.field(default_factory=dict)

    def add(self, inputs: Iterable[str], columns: Mapping[str, Iterable[Column]]) -> None:
        self.inputs.update(inputs)
        for name, origins in columns.items():
            self.columns.setdefault(name, set()).update(origins)


Flows = dict[str, Flow]


class Extractor(BaseExtractor):
    """An extractor for the tasks of `sparkify` and `reports`. For other tasks, it calls the default extractor."""

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        """Return the operator classes of the tasks, because the provider selects an extractor by class."""
        return [
            "S3ToRedshiftOperator",
            "SQLExecuteQueryOperator",
            "SQLTableCheckOperator",
            "SQLColumnCheckOperator",
            "_PythonDecoratedOperator",
        ]

    def _execute_extraction(self) -> OperatorLineage | None:
        if self.operator.dag_id not in ("sparkify", "reports"):
            return DefaultExtractor(self.operator).extract()
        # Check results are available only on completion, but without datasets the provider would use another source of
        # lineage.
        return as_events(flows_of(self.operator), {run_table(name): [] for name in checked(self.operator)})

    def extract_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        if self.operator.dag_id not in ("sparkify", "reports"):
            return DefaultExtractor(self.operator).extract_on_complete(task_instance)
        return as_events(flows_of(self.operator), assertions_of(self.operator))


def flows_of(operator: Any) -> Flows:
    """Return the flows of a task by the dataset that it writes: ``schema.table``, or an ``s3://`` URI."""
    name = operator.task_id
    if operator.dag_id == "reports":
        found = reports.scripts() if name == "publish" else {name: f"{reports.STATE}/{name}.sql"}
        is_sql = name == "publish" or (tables.SQL / f"{reports.STATE}/{name}.sql").exists()
        flows = flows_of_scripts(operator.dag, found) if is_sql else {}
        if name == "new_agents":
            state = schema_of(operator.dag, reports.STATE)
            flows[f"{state}.new_families"] = Flow({f"{state}.new_agents"})
        return flows
    if name == "validate":
        return {
            staged_files(source): Flow(
                {lake_files(source)},
                {
                    field.column: {(lake_files(source), field.source)}
                    for field in contract.CONTRACTS[source.kind].fields
                },
            )
            for source in tables.SOURCES
        } | {
            f"{settings.ops()}.{name}": Flow({lake_files(source) for source in tables.SOURCES})
            for name in ("rejected_lines", "refused_files")
        }
    group, _, name = name.rpartition(".")
    if group == "stage":
        sources = {source.staging: source for source in tables.SOURCES}
        if name not in sources:
            return {run_table(name): Flow({f"{run_files()}/{name}"})}
        files = staged_files(sources[name])
        fields = contract.CONTRACTS[sources[name].kind].fields
        columns = {field.column: {(files, field.column)} for field in fields}
        return {run_table(name): Flow({files}, columns)}
    if group == "build":
        return flows_of_scripts(operator.dag, tables.scripts("build", tables.BUILD[name]))
    if name == "publish":
        return flows_of_scripts(operator.dag, tables.scripts("publish", tables.PUBLISH))
    return {}


def lake_files(source: tables.Source) -> str:
    """Return the dataset that represents all source files of a kind, because there are too many files for one each."""
    prefix = getattr(settings.settings(), source.prefix).rstrip("/")
    return f"s3://{settings.settings().source_bucket}/{prefix}"


def run_files() -> str:
    """Return the prefix under which runs write the files for COPY."""
    return f"s3://{settings.settings().work_bucket}/runs"


def staged_files(source: tables.Source) -> str:
    """Return the dataset that represents the validated lines of a source in all runs."""
    return f"{run_files()}/{source.staging}"


def run_schema() -> str:
    """Return the schema name that represents all run schemas in lineage."""
    return f"{settings.star()}_run"


def run_table(name: str) -> str:
    """Return the name of a table of the run schema in lineage."""
    return f"{run_schema()}.{name}"


def schema_of(dag: Any, folder: str) -> str:
    """Return the schema of a folder of ``include/sql``, from the macro of the same name or, without one, the name."""
    macro = dag.user_defined_macros.get(folder)
    return str(macro()) if macro else folder


def flows_of_scripts(dag: Any, scripts: Mapping[str, str]) -> Flows:
    """Return the flows of scripts, which are rendered with names that are the same in every run.

    :param scripts: paths under ``include/sql``, or templates, by table. A SELECT statement writes to this table.
    """
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(tables.SQL))  # renders SQL, not HTML
    environment.globals.update(
        dag.user_defined_macros,
        run_schema=lambda *_: run_schema(),
        run_prefix=lambda *_: run_files(),
        remake=lambda *_: False,
        ti=None,
    )
    found: Flows = {}
    for name, path in scripts.items():
        schema = schema_of(dag, path.partition("/")[0])
        template = (environment.get_template if path.endswith(".sql") else environment.from_string)(path)
        for statement in sqlparse.split(template.render()):
            add_statement(found, statement, f"{schema}.{name}")
    return found


def add_statement(found: Flows, statement: str, default: str) -> None:
    """Add the flows of a statement. ``default`` is the table that a SELECT statement writes."""
    text = re.sub(r"--.*", "", statement).strip().rstrip(";")
    # These statements, and CREATE TABLE without a query, do not move data.
    if re.match(r"(drop|comment|grant|set|analyze)\b|create table \S+ \(", text, re.I):
        return
    meta = openlineage_sql.parse([text], dialect="redshift")
    outputs = [table.qualified_name for table in meta.out_tables] or [default]
    inputs = {table.qualified_name for table in meta.in_tables}
    columns: dict[str, set[Column]] = {}
    for item in meta.column_lineage:
        origins = {(one.origin.qualified_name, one.name) for one in item.lineage if one.origin}
        inputs |= {table for table, _ in origins}
        # The parser also returns some common table expressions, whose names have no schema.
        columns.setdefault(item.descendant.name, set()).update(one for one in origins if "." in one[0])
    for output in outputs:
        found.setdefault(output, Flow()).add({name for name in inputs if "." in name} - {output}, columns)


def checked(operator: Any) -> set[str]:
    """Return the tables of the run schema that a task checks."""
    if hasattr(operator, "column_mapping"):
        return {str(operator.table).rpartition(".")[2]}
    return {alias.partition("__")[0] for alias in getattr(operator, "checks", {})}


def assertions_of(operator: Any) -> dict[str, list[data_quality_assertions_dataset.Assertion]]:
    """Return the results of the checks that a task ran, by dataset, without values and SQL."""
    declared = {f"{check.table}__{check.name}": check for check in checks.all_checks()}
    found: dict[str, list[data_quality_assertions_dataset.Assertion]] = {}

    def add(check: checks.Check, success: bool, column: str | None = None) -> None:
        found.setdefault(run_table(check.table), []).append(
            data_quality_assertions_dataset.Assertion(
                assertion=check.name,
                success=success,
                column=column,
                severity=SEVERITY[check.severity],
                description=check.description,
            )
        )

    for result in getattr(operator, "check_results", []):
        table = str(result.table).rpartition(".")[2]
        check = declared.get(result.name) or declared.get(f"{table}__{result.column}.{result.check_type}")
        if check:
            add(check, result.success, result.column)
    if operator.task_id == "publish" and operator.dag_id == "sparkify":
        for outcome in checks.written:
            add(outcome.check, not outcome.failing)
    return found


def as_events(
    flows: Flows, assertions: Mapping[str, list[data_quality_assertions_dataset.Assertion]]
) -> OperatorLineage:
    """Return flows and check results as OpenLineage objects."""
    read = {name for flow in flows.values() for name in flow.inputs} - set(flows) | set(assertions)
    inputs: list[Dataset] = []
    for name in sorted(read):
        facets: dict[str, Any] = {}
        if assertions.get(name):
            facets["dataQualityAssertions"] = (
                data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions=assertions[name])
            )
        namespace, path = address(name)
        inputs.append(
            InputDataset(namespace=namespace, name=path, facets=described(name), inputFacets=facets)
        )
    return OperatorLineage(
        inputs=inputs, outputs=[written(name, flow) for name, flow in sorted(flows.items())]
    )


def written(name: str, flow: Flow) -> Dataset:
    """Return the OpenLineage dataset for a flow, with the origins of its columns."""
    facets, fields = described(name), {}
    for column, origins in sorted(flow.columns.items()):
        of = [column_lineage_dataset.InputField(*address(table), origin) for table, origin in sorted(origins)]
        if of:
            fields[column] = column_lineage_dataset.Fields(inputFields=of)
    if fields:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields=fields)
    namespace, path = address(name)
    return Dataset(namespace=namespace, name=path, facets=facets)


def described(name: str) -> dict[str, Any]:
    """Return the schema facet of a published table or report table, with the descriptions of its columns."""
    schema, _, table = name.rpartition(".")
    declared = None
    if schema in (settings.star(), settings.ops()) and table in tables.PUBLISHED:
        declared = tables.published(table)
    elif schema != run_schema():
        declared = tables.reports().get(table)
    if declared is None:
        return {}
    fields = [
        schema_dataset.SchemaDatasetFacetFields(column.name, column.type, column.meaning)
        for column in declared.columns
    ]
    return {"schema": schema_dataset.SchemaDatasetFacet(fields=fields)}


def address(name: str) -> tuple[str, str]:
    """Return the namespace and the name of a dataset."""
    if name.startswith("s3://"):
        bucket, _, path = name.removeprefix("s3://").partition("/")
        return f"s3://{bucket}", path
    authority, database = warehouse()
    return f"redshift://{authority}", f"{database}.{name}"


@functools.cache
def warehouse() -> tuple[str, str]:
    """Return the authority and the database of the warehouse, from the connection."""
    hook = RedshiftSQLHook(redshift_conn_id=CONN_ID)
    found = hook.get_openlineage_database_info(hook.conn)
    return str(found.authority), str(found.database)
