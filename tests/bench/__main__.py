"""The command line behind `make bench`. See the package's docstring."""

from __future__ import annotations

import os
import shutil
import sys

from tests import own_environment

# Some parts start worker processes, which import this file again.
if __name__ == "__main__":
    airflow_home = own_environment.set_up()
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    try:
        from tests.bench.table import main

        sys.exit(main(sys.argv[1:]))
    finally:
        shutil.rmtree(airflow_home, ignore_errors=True)
