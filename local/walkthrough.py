"""Local substitutes for the tools of docs/aws.md, for `make cloud-demo`: `aws`, `astro` and Airflow's REST API.

``aws`` knows the commands that the page uses, ``astro`` stores the variables that it receives, and the API runs a DAG
as `airflow dags test` does.
"""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from local_redshift import service


def read_commands(page: Path) -> str:
    """Return the commands of the page, as printed."""
    text = page.read_text()
    return text.split("```bash\n", 1)[1].split("```", 1)[0]


def write_tools(folder: Path, home: Path) -> None:
    """Write the commands ``aws`` and ``astro`` to a folder for the PATH. ``home`` is the home of the services."""
    folder.mkdir(parents=True)
    for name in ("aws", "astro"):
        tool = folder / name
        tool.write_text(
            f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\nfrom local.walkthrough import {name}\n"
            f"{name}(sys.argv[1:], Path({str(home)!r}))\n"
        )
        tool.chmod(0o755)


def aws(words: list[str], home: Path) -> None:
    """Do what ``aws cloudformation deploy`` and ``delete-stack`` do, on the local AWS.

    :raises botocore.exceptions.WaiterError: the stack was rolled back.
    :raises SystemExit: the command is not one of these two.
    """
    running = service.status(home)
    assert running is not None
    (kind, verb), given = words[:2], _options(words[2:])
    formation, name = running.client("cloudformation"), given["--stack-name"][0]
    if (kind, verb) == ("cloudformation", "delete-stack"):
        formation.delete_stack(StackName=name)
        formation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    elif (kind, verb) == ("cloudformation", "deploy"):
        values = dict(one.split("=", 1) for one in given["--parameter-overrides"])
        formation.create_stack(
            StackName=name,
            TemplateBody=Path(given["--template-file"][0]).read_text(),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            Capabilities=given["--capabilities"],
        )
        formation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    else:
        sys.exit(f"the demo's aws does not know: {' '.join(words)}")


def astro(words: list[str], home: Path) -> None:
    """Store the variables of ``astro deployment variable create``. ``astro deploy`` does nothing."""
    if words[0] == "deployment":
        variables = dict(word.split("=", 1) for word in words[5:])
        (home.parent / "variables.json").write_text(json.dumps(variables))


def _options(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word] = last = []
        else:
            last.append(word)
    return found


class Api:
    """The part of Airflow's REST API that the page uses."""

    def __init__(self, run: Callable[[str, dict[str, Any]], None], fail: Callable[[Exception], None]) -> None:
        """Take two callbacks: ``run`` runs a DAG to completion, and ``fail`` receives its exception, if any."""
        states: dict[str, str] = {}
        # IDs of the DAGs that were unpaused.
        self.switched_on = switched_on = set[str]()

        def work(dag_run_id: str, dag_id: str, conf: dict[str, Any]) -> None:
            try:
                run(dag_id, conf)
                states[dag_run_id] = "success"
            except Exception as error:
                fail(error)
                states[dag_run_id] = "failed"

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self, content: dict[str, Any]) -> None:
                body = json.dumps(content).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _read(self) -> dict[str, Any]:
                content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                return content

            def do_POST(self) -> None:
                dag_id, conf = self.path.split("/")[4], self._read()["conf"]
                dag_run_id = f"manual__{len(states)}"
                states[dag_run_id] = "running"
                threading.Thread(target=work, args=(dag_run_id, dag_id, conf), daemon=True).start()
                self._answer({"dag_run_id": dag_run_id, "state": "queued"})

            def do_PATCH(self) -> None:
                content = self._read()
                if content == {"is_paused": False}:
                    switched_on.add(self.path.split("/")[4])
                self._answer(content)

            def do_GET(self) -> None:
                self._answer({"state": states[self.path.rsplit("/", 1)[1]]})

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing, because the demo prints its own lines."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
