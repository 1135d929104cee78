"""Configure Airflow on this machine with the settings that `astro dev start` reads from airflow_settings.yaml."""

from __future__ import annotations

import json
import os
import re
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from local.home import PROJECT
from local_redshift import service

FILE = PROJECT / "airflow_settings.yaml"
# Host name of the service in docker-compose.override.yml. Outside containers, 127.0.0.1 replaces it.
COMPOSE_HOST = "local-aws"


def read() -> dict[str, Any]:
    """Return the content below ``airflow:``."""
    return yaml.safe_load(FILE.read_text())["airflow"]


def pipeline_settings() -> dict[str, str]:
    """Return the value of the Variable `sparkify`."""
    values = {item["variable_name"]: item["variable_value"] for item in read()["variables"]}
    return json.loads(values["sparkify"])


def buckets() -> tuple[str, str]:
    """Return the names of the lake and of the work bucket."""
    given = pipeline_settings()
    return given["source_bucket"], given["work_bucket"]


def service_options(aws_port: int = 0, redshift_port: int = 0) -> service.Options:
    """Return the services' options, with the file's user, password, database and role. Port 0 is any free port."""
    found = {item["conn_id"]: item for item in read()["connections"]}
    login, copy_role = found["redshift_default"], json.loads(found["aws_copy_role"]["conn_extra"])["role_arn"]
    return service.Options(
        user=login["conn_login"],
        password=login["conn_password"],
        database=login["conn_schema"],
        role=copy_role.rpartition("/")[2],
        aws_port=aws_port,
        redshift_port=redshift_port,
    )


def connections(running: service.Running) -> dict[str, str]:
    """Return the file's connections and Variables as environment variables that point to the running services."""
    content = read()
    found = {}
    for connection in content["connections"]:
        extra = json.loads(connection.get("conn_extra") or "{}")
        if "endpoint_url" in extra:
            extra["endpoint_url"] = running.aws_endpoint
        is_local = connection.get("conn_host") == COMPOSE_HOST
        value = {
            "conn_type": connection["conn_type"],
            "host": "127.0.0.1" if is_local else connection.get("conn_host"),
            "port": running.redshift_port if is_local else connection.get("conn_port"),
            "schema": connection.get("conn_schema"),
            "login": connection.get("conn_login"),
            "password": connection.get("conn_password"),
            "extra": extra,
        }
        found[f"AIRFLOW_CONN_{connection['conn_id'].upper()}"] = json.dumps(value)
    for variable in content["variables"]:
        found[f"AIRFLOW_VAR_{variable['variable_name'].upper()}"] = str(variable["variable_value"])
    return found


def schedule(days: tuple[date, date]) -> dict[str, str]:
    """Return the environment variables that schedule one run per day from the first to the last of ``days``."""
    return {"SPARKIFY_START_DATE": days[0].isoformat(), "SPARKIFY_LAST_DAY": days[1].isoformat()}


def image_variables() -> dict[str, str]:
    """Return the environment variables that the image sets, which any Airflow of this project needs."""
    return dict(re.findall(r"^ENV (\w+)='?(.*?)'?$", (PROJECT / "Dockerfile").read_text(), re.M))


def environment(running: service.Running, airflow_home: Path) -> dict[str, str]:
    """Return the variables with which Airflow on this machine runs the project on the local services.

    Merge them into the process's own environment, where they take precedence. ``airflow_home`` becomes AIRFLOW_HOME.
    """
    return {
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        **image_variables(),
        # Airflow 3 uses this name for a limit that the image sets.
        "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "180",
        "PYTHONPATH": str(PROJECT),
        # Hide the user's AWS accounts.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **connections(running),
    }


def dotenv(running: service.Running, days: tuple[date, date]) -> str:
    """Return the content of a .env file for an Airflow outside containers that `make` did not start."""
    found = environment(running, PROJECT) | schedule(days)
    # Such an Airflow has its own home. `astro dev start --standalone` sets some other variables to the same values.
    del found["AIRFLOW_HOME"]
    head = (
        "# Written by `make env`: the services of `make up`, for an Airflow on this machine.\n"
        "# Delete this file before you start Airflow in containers: `astro dev start` would read it too.\n"
        "# The Astro CLI replaces PYTHONPATH, so set it on the command line as well:\n"
        f"#   PYTHONPATH='{PROJECT}' astro dev start --standalone\n"
    )
    # Quote with single quotes where a shell needs them. The Astro CLI and Docker Compose take such a value literally.
    return head + "".join(f"{name}={shlex.quote(value)}\n" for name, value in found.items())
