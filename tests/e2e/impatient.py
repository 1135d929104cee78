"""Run local.dag_runs with a warehouse timeout of one second and immediate retries of tasks."""

import runpy
from datetime import timedelta

from include import defaults
from include.sparkify.redshift import reach

if __name__ == "__main__":
    reach.PATIENCE = 1
    defaults.DEFAULT_ARGS["retry_delay"] = timedelta(0)
    runpy.run_module("local.dag_runs", run_name="__main__")
