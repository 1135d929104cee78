"""Read the parameters of a DAG run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.sparkify.errors import ConfigurationError


def of_run(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a run. Call this function in the first task of a DAG.

    :raises ConfigurationError: the run was triggered with a parameter that the DAG does not define, for example a
        misspelled parameter. Airflow would ignore this parameter.
    """
    conf = getattr(context.get("dag_run"), "conf", None) or {}
    # Compare the conf, because `params` already contains it. The TriggerDagRunOperator of Airflow 3 adds `openlineage`
    # to the conf.
    if unknown := [name for name in sorted(conf) if name not in {*context["dag"].params, "openlineage"}]:
        raise ConfigurationError(
            f"the run was triggered with unknown parameters: {', '.join(unknown)}. "
            f"Known parameters: {', '.join(sorted(context['dag'].params))}. Next: trigger a new run."
        )
    params: Mapping[str, Any] = context["params"]
    return params
