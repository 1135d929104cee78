"""Test that an unreachable warehouse is reported immediately with the probable cause. Local sockets stand in for it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from unittest import mock

import pytest
import redshift_connector

from include.sparkify.errors import TransientError
from include.sparkify.redshift import reach, warehouse


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "PATIENCE", 0.2)


@contextlib.contextmanager
def listener(answer: bytes | None, accept: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """Yield a server's port and the list of its requests. Without ``answer``, the server never responds."""
    asked: list[bytes] = []
    opened = []
    with contextlib.closing(
        socket.create_server(("127.0.0.1", 0), backlog=0 if not accept else 10)
    ) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    link, _ = server.accept()
                    opened.append(link)
                    if answer is not None:
                        asked.append(link.recv(8))
                        link.sendall(answer)
                        link.close()

        if accept:
            threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], asked
    for link in opened:
        link.close()


@pytest.mark.parametrize("answer", [b"S", b"N"])
def test_a_warehouse_that_answers(answer):
    with listener(answer) as (port, asked):
        reach.assert_answers("127.0.0.1", port)
    assert asked == [b"\x00\x00\x00\x08\x04\xd2\x16\x2f"]


def test_one_whose_packets_are_dropped():
    """A paused cluster and a closed security group drop packets. Here, the socket's full queue does."""
    with listener(None, accept=False) as (port, _), contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(contextlib.closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        with pytest.raises(
            TransientError,
            match="paused, or the security group does not allow the connection. Next: .*`resume`",
        ):
            reach.assert_answers("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "answer", "said"),
    [
        ("127.0.0.1", None, "paused, or the security group does not"),
        ("127.0.0.1", b"", "closed the connection before the login"),
        ("127.0.0.1", b"HTTP/1.1 400", "another service uses this port"),
        ("no-such-cluster.invalid", b"S", "the name is unknown"),
    ],
)
def test_other_answers(host, answer, said):
    with listener(answer) as (port, _), pytest.raises(TransientError, match=said):
        reach.assert_answers(host, port)


def test_one_that_refuses():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(TransientError, match="cannot be reached .*refused"):
        reach.assert_answers("127.0.0.1", port)


def test_a_transaction_asks_once_and_leaves_the_retry_to_airflow(monkeypatch):
    """Our five attempts, each with five retries by the provider's hook, made 25 connection attempts per Airflow try."""
    connect = mock.Mock(side_effect=TimeoutError)
    monkeypatch.setattr(reach.socket, "create_connection", connect)
    # Another test in this process may have left a connection open.
    monkeypatch.setattr(warehouse, "_kept", threading.local())
    given = {"conn_type": "redshift", "host": "cluster", "port": 5439, "login": "a", "password": "b"}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(given))
    for ask in (lambda: warehouse.query("select 1"), lambda: reach.before_task({})):
        with pytest.raises(TransientError, match="the warehouse at cluster:5439 did not answer"):
            ask()
    assert connect.call_count == 2


def test_a_refused_login_is_tried_once(monkeypatch):
    refused = redshift_connector.InterfaceError("password authentication failed")
    connect = mock.Mock(side_effect=refused)
    monkeypatch.setattr(redshift_connector, "connect", connect)
    given = {"conn_type": "redshift", "login": "a", "password": "b"}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(given))
    with pytest.raises(redshift_connector.InterfaceError):
        reach.connect()
    connect.assert_called_once()
