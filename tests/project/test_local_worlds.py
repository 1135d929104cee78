"""Test airflow_settings.yaml and docker-compose.override.yml, which define the local worlds."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import date
from pathlib import Path

import yaml

from local import airflow_settings
from local_redshift import service
from tests.project.files import PROJECT, read

RUNNING = service.Running(
    pid=1,
    aws_endpoint="http://127.0.0.1:4001",
    redshift_port=4002,
    user="sparkify",
    password="sparkify-local",
    database="dev",
    role="arn:aws:iam::123456789012:role/sparkify-copy",
    postgres_host="/nowhere",
)


def environment() -> dict[str, str]:
    return airflow_settings.environment(RUNNING, Path("/home"))


def test_settings_file_is_as_the_cli_reads_it() -> None:
    settings = yaml.safe_load(read("airflow_settings.yaml"))["airflow"]
    for item in settings["connections"]:
        assert set(item) <= {
            f"conn_{name}" for name in "id type host schema login password port extra".split()
        }
        # The CLI would convert a map's keys to lowercase. It does not change text.
        assert isinstance(json.loads(item["conn_extra"]), dict)
    assert {item.get("conn_password") for item in settings["connections"]} == {"local", "sparkify-local"}
    with_role = [item["conn_id"] for item in settings["connections"] if "role_arn" in item["conn_extra"]]
    assert with_role == ["aws_copy_role"]


def test_compose_override_runs_what_the_settings_name() -> None:
    compose = yaml.safe_load(read("docker-compose.override.yml"))
    services = compose["services"]
    assert set(services) == {"local-aws", "scheduler"}
    local = services["local-aws"]
    assert "build" not in local, "astro dev start builds no service of this file"
    assert local["networks"] == ["airflow"]
    published = [port.split(":") for port in local["ports"]]
    assert all(address == "127.0.0.1" for address, _, _ in published)
    inside = {int(port) for _, _, port in published}
    hosts = set()
    for item in yaml.safe_load(read("airflow_settings.yaml"))["airflow"]["connections"]:
        address = json.loads(item["conn_extra"]).get(
            "endpoint_url", f"x://{item.get('conn_host')}:{item.get('conn_port')}"
        )
        host, port = address.split("//")[1].split(":")
        hosts.add(host)
        assert int(port) in inside
    assert hosts == {"local-aws"}
    for mount in local["volumes"]:
        source, _, options = (*mount.split(":"), "")[:3]
        if source in compose["volumes"]:
            continue
        assert (PROJECT / source).exists()
        assert options == "ro,z", "read-only, and readable under SELinux"
    assert re.fullmatch(r"python:3\.1[12]\.\d+-slim-[a-z]+", local["image"]), "a patch release, on one Debian"
    # `make up` uses the container's internal ports on the host.
    assert not {int(port) for _, port, _ in published} & inside


def test_env_file_is_read_alike_by_a_shell_and_by_the_cli() -> None:
    days = (date(2018, 11, 1), date(2018, 11, 30))
    text = airflow_settings.dotenv(RUNNING, days)
    by_shell = subprocess.run(
        ["/bin/sh", "-c", f"set -a\n{text}\nenv -0"], env={}, capture_output=True, text=True, check=True
    ).stdout
    found = dict(line.partition("=")[::2] for line in by_shell.split("\0") if line)
    # LoadEnvFile of the Astro CLI takes the text after the first =, without the enclosing quotes.
    by_cli = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.partition("=")
            by_cli[name] = value[1:-1] if value[0] == value[-1] == "'" else value
            # `docker run --env-file` keeps the quotes, so a number must not have any.
            assert not re.fullmatch(r"'[\w.]*'", value)
    assert by_cli == {name: found[name] for name in by_cli}
    assert by_cli["SPARKIFY_LAST_DAY"] == "2018-11-30"
    assert json.loads(by_cli["AIRFLOW_CONN_REDSHIFT_DEFAULT"])["port"] == 4002
    # The other Airflow has its own home and does not have our pool.
    assert not {"AIRFLOW_HOME", "SPARKIFY_POOL"} & set(by_cli)
