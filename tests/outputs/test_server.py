"""Health over HTTP: pages that mean something, clients that can't hold it up."""

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from agent.outputs.health import Health
from agent.outputs.server import Server, pages
from tests.outputs.builders import eventually


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


MakeServer = Callable[[Health], Server]


@pytest.fixture
def serve() -> Iterator[MakeServer]:
    servers: list[Server] = []

    def make(health: Health) -> Server:
        servers.append(Server(pages(lambda: b"metric 1\n", health.sick, health.unready), connections=2, request_s=0.5))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def get(server: Server, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.address[1]}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def raw(server: Server, request: bytes) -> bytes:
    with socket.create_connection(server.address, timeout=5) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(4096), b""))


def test_not_ready_until_every_need_is_met_and_says_which_is_not(serve: MakeServer) -> None:
    health = Health(["sensor", "policies"], stuck_s=15)
    server = serve(health)
    health.met("sensor")
    health.missing("policies", "rules/web.yaml:3:1: unknown verb")
    assert get(server, "/readyz") == (503, "policies: rules/web.yaml:3:1: unknown verb\n")
    health.met("policies")
    assert get(server, "/readyz") == (200, "ok\n")


def test_a_loop_that_makes_no_turn_is_not_healthy_and_not_ready(serve: MakeServer) -> None:
    clock = Hand()
    health = Health([], stuck_s=15, clock=clock)
    server = serve(health)
    clock.now_s = 15.0
    assert get(server, "/healthz") == (200, "ok\n")
    clock.now_s = 16.0
    assert get(server, "/healthz") == (503, "loop: no turn for 16 s\n")
    assert get(server, "/readyz")[0] == 503
    health.beat()
    assert get(server, "/healthz") == (200, "ok\n")


def test_metrics_are_served_as_prometheus_wants_them(serve: MakeServer) -> None:
    answer = raw(serve(Health([], stuck_s=15)), b"GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b"Content-Type: text/plain; version=0.0.4" in answer
    assert answer.endswith(b"\r\n\r\nmetric 1\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /../metrics HTTP/1.1\r\n\r\n", b"404"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"GET " + b"a" * 8_196, b"408"),
    ],
)
def test_other_requests_are_refused(serve: MakeServer, request_: bytes, status: bytes) -> None:
    assert raw(serve(Health([], stuck_s=15)), request_).split(b" ")[1] == status


def test_head_gives_no_body(serve: MakeServer) -> None:
    assert raw(serve(Health([], stuck_s=15)), b"HEAD /healthz HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_slow_clients_are_cut_off_and_others_still_served(serve: MakeServer) -> None:
    server = serve(Health([], stuck_s=15))
    slow = [socket.create_connection(server.address, timeout=5) for _ in range(2)]
    for client in slow:
        client.sendall(b"GET /metr")
    began_s = time.monotonic()
    eventually(lambda: _served(server))
    assert time.monotonic() - began_s < 3
    for client in slow:
        client.close()


def _served(server: Server) -> bool:
    try:
        return get(server, "/healthz")[0] == 200
    except OSError:
        return False


def test_a_page_that_fails_says_so_and_the_server_goes_on() -> None:
    def broken() -> list[str]:
        raise RuntimeError("no sensor")

    server = Server(pages(bytes, list, broken))
    try:
        assert get(server, "/readyz") == (500, "RuntimeError: no sensor\n")
        assert get(server, "/healthz") == (200, "ok\n")
        assert server.failed == 1
    finally:
        server.close()
