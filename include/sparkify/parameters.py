"""The parameters that a run was triggered with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.sparkify.errors import ConfigurationError


def of_run(context: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a run, for its first task.

    :raises ConfigurationError: the run was triggered with a parameter that the DAG does not have, for example a
        misspelled one. Airflow would ignore it.
    """
    conf = getattr(context.get("dag_run"), "conf", None) or {}
    # Not `params`, which already contain the conf. Airflow 3's TriggerDagRunOperator adds `openlineage` to it.
    if unknown := [name for name in sorted(conf) if name not in {*context["dag"].params, "openlineage"}]:
        raise ConfigurationError(
            f"the run was triggered with unknown parameters: {', '.join(unknown)}. "
            f"Known: {', '.join(sorted(context['dag'].params))}. Next: trigger a new run."
        )
    params: Mapping[str, Any] = context["params"]
    return params
