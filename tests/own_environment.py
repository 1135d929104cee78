"""The environment of the tests and the benchmark, isolated from the settings of the user."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def set_up() -> str:
    """Hide the user's Airflow configuration, pipeline settings and AWS accounts.

    Call it before anything imports Airflow, which reads its configuration on import.

    :returns: AIRFLOW_HOME, a new folder, which the caller deletes.
    """
    home = tempfile.mkdtemp(prefix="sparkify-tests-")
    for name in list(os.environ):
        if name.startswith("AIRFLOW") or name in (
            "SPARKIFY_SCHEDULE",
            "SPARKIFY_START_DATE",
            "SPARKIFY_LAST_DAY",
        ):
            del os.environ[name]
    os.environ |= {
        "AIRFLOW_HOME": home,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    # Keep the AWS settings for a conformance run against a real cluster, which the user requests with this variable.
    if "LOCAL_REDSHIFT_CONFORMANCE_DSN" not in os.environ:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ |= {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    return home
