"""local.dag_runs, but with a warehouse that has a second to answer, and tasks that are tried again at once."""

import runpy
from datetime import timedelta

from include import defaults
from include.sparkify.redshift import reach

if __name__ == "__main__":
    reach.PATIENCE = 1
    defaults.DEFAULT_ARGS["retry_delay"] = timedelta(0)
    runpy.run_module("local.dag_runs", run_name="__main__")
