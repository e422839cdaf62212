"""TCP: who is reached, by whatever way; what becomes of it; who listens and who comes."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Self

import pytest

from agent.sensor import layout
from model.event import Direction, Net, Protocol
from tests.containers.network import Namespace
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers, eventually

REFUSED, GIVEN_UP, UNKNOWN = 111, 125, -1
CLOSED_PORT = 1
WAYS = [
    "tcp", "tcp-nonblocking", "tcp-fast-open", "tcp-fast-open-connect", "tcp-mapped", "tcp-uring", "tcp-uring-async",
    "tcp-int80",
]  # fmt: skip


@pytest.fixture
def port() -> Iterator[int]:
    """A port of the host's loopback where every connection is accepted and closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        accepting = threading.Thread(target=accept_all, args=(server,))
        accepting.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        accepting.join()


def accept_all(server: socket.socket) -> None:
    with contextlib.suppress(OSError):  # shut down
        while True:
            server.accept()[0].close()


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_connect_is_one_event_of_its_process(box: Peers, attack: str, port: int, way: str) -> None:
    box.run(attack, way, "127.0.0.1", str(port))
    (event,) = box.saw(Net)
    assert (event.direction, event.protocol, event.address, event.port) == (Direction.EGRESS, Protocol.TCP, "127.0.0.1", port)
    assert event.result == UNKNOWN
    assert event.actor.comm.startswith("iou-wrk" if way.endswith("async") else "attack")
    assert event.actor.pid > 0
    assert box.count(event) == 1


def test_a_connection_over_ipv6_is_seen(box: Peers, attack: str) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        box.run(attack, "tcp", "::1", str(port))
    (event,) = box.saw(Net)
    assert (event.address, event.port) == ("::1", port)


def test_repeats_are_one_event_and_an_exact_count(box: Peers, port: int) -> None:
    box.do(deeds.connect, "127.0.0.1", port, 500)
    (event,) = box.saw(Net)
    assert box.count(event) == 500


def test_an_ipv4_peer_is_the_same_through_an_ipv6_socket(box: Peers, port: int) -> None:
    box.do(deeds.connect, "127.0.0.1", port, 2)
    box.do(deeds.connect, "::ffff:127.0.0.1", port, 3)
    (event,) = box.saw(Net)
    assert box.count(event) == 5


def test_processes_on_all_cpus_lose_no_count(box: Peers, port: int) -> None:
    box.do(deeds.connect_from_four, port, 400)
    assert box.total(layout.KIND_NET) == 1600
    assert len(box.saw(Net)) == 1


@pytest.mark.parametrize("way", ["tcp", "tcp-nonblocking", "tcp-fast-open", "tcp-uring"])
def test_a_refused_connection_is_a_second_behaviour_of_the_same_process(box: Peers, attack: str, way: str) -> None:
    box.run(attack, way, "127.0.0.1", str(CLOSED_PORT), status=1)
    attempt, refusal = box.saw(Net)
    assert (attempt.result, refusal.result) == (UNKNOWN, REFUSED)
    assert (refusal.address, refusal.port) == ("127.0.0.1", CLOSED_PORT)
    assert refusal.actor == attempt.actor
    assert refusal.flow != attempt.flow


def test_refusals_are_counted_exactly(box: Peers) -> None:
    box.do(deeds.connect, "127.0.0.1", CLOSED_PORT, 300)
    assert [box.count(event) for event in box.saw(Net)] == [300, 300]


def test_success_is_no_second_event(box: Peers, port: int) -> None:
    box.do(deeds.connect, "127.0.0.1", port, 1)
    assert [event.result for event in box.saw(Net)] == [UNKNOWN]


def test_an_attempt_that_is_given_up_before_an_answer_is_told(box: Peers, namespace: Namespace) -> None:
    silent(namespace)
    box.do(deeds.connect_and_give_up, "192.0.2.2", within=namespace.path)
    assert [event.result for event in box.saw(Net)] == [UNKNOWN, GIVEN_UP]


def test_a_process_that_is_killed_while_it_connects_leaves_its_name(box: Peers, namespace: Namespace) -> None:
    silent(namespace)
    box.do(deeds.connect_and_be_killed, "192.0.2.2", within=namespace.path)
    attempt, end = box.saw(Net)
    assert (end.result, end.actor) == (GIVEN_UP, attempt.actor)


def silent(namespace: Namespace) -> None:
    """A neighbour that is never there: what is sent to it is not answered."""
    for line in (
        "link add quiet type veth peer name void",
        "addr add 192.0.2.1/24 dev quiet",
        "link set quiet up",
        "link set void up",
        "neigh add 192.0.2.2 lladdr 02:00:00:00:00:01 dev quiet",
    ):
        namespace.run("ip", *line.split())


def test_nothing_is_kept_of_connections_that_were_answered(box: Peers, port: int) -> None:
    box.do(deeds.connect, "127.0.0.1", port, 20)
    box.do(deeds.connect, "127.0.0.1", CLOSED_PORT, 20)
    assert list(box.bench.sensor.map("connecting").items()) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104 (where an attacker would listen)
def test_a_listener_is_told_with_its_address_and_port(box: Peers, attack: str, address: str) -> None:
    box.run(attack, "listen", address, "5454")
    (event,) = box.saw(Net)
    assert (event.direction, event.address, event.port, event.local_port) == (Direction.LISTEN, address, 5454, 5454)
    assert (event.result, event.actor.comm) == (0, "attack")


def test_who_comes_is_told_of_the_listening_process(box: Peers, attack: str) -> None:
    box.run(attack, "accept", "127.0.0.1", "5454")
    (listener,), (comer,) = box.saw_net(Direction.LISTEN), box.saw_net(Direction.INGRESS)
    assert (comer.address, comer.local_port, comer.result) == ("127.0.0.1", 5454, 0)
    assert comer.port not in (0, 5454)
    assert comer.actor == listener.actor


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6], ids=["ipv4", "ipv6"])
def test_a_peer_that_comes_again_from_another_port_is_no_news(box: Peers, family: int) -> None:
    box.do(deeds.serve, 5454, 50, int(family))
    (comer,) = box.saw_net(Direction.INGRESS)
    assert box.count(comer) == 50


def test_without_a_noted_listener_the_container_stands_for_it(box: Peers) -> None:
    with Listening(box) as listening:
        parties = box.bench.sensor.map("parties")
        for key in [key for key, _ in parties.items() if int.from_bytes(key[:8], "little") == box.cgroup]:
            parties.delete(key)
        listening.visit()
        eventually(lambda: bool(box.saw_net(Direction.INGRESS)), "the connection is seen")
    (comer,) = box.saw_net(Direction.INGRESS)
    assert (comer.actor.container, comer.actor.pid, comer.actor.exe, comer.actor.comm) == (box.cgroup, 0, 0, "")


def test_a_listener_with_the_hosts_cgroup_claims_no_connection_of_the_host(box: Peers) -> None:
    with Listening(box, first_makes_its_socket=True) as listening:
        eventually(lambda: len(box.saw_net(Direction.LISTEN)) == 1, "that it listens is seen")
        listening.visit()
    assert box.saw_net(Direction.INGRESS) == []


def test_new_policies_make_everything_news_again(box: Peers) -> None:
    with Listening(box) as listening:
        listening.visit()
        eventually(lambda: len(box.saw_net(Direction.INGRESS)) == 1, "the first is seen")
        box.bench.sensor.set_generation(7)
        try:
            listening.visit()
            eventually(lambda: len(box.saw_net(Direction.INGRESS)) == 2, "under new policies it is seen again")
        finally:
            box.bench.sensor.set_generation(0)


class Listening:
    """A process that was moved into the box and listens; its connections stay in the backlog."""

    def __init__(self, box: Peers, *, first_makes_its_socket: bool = False) -> None:
        self._box = box
        self._first = first_makes_its_socket  # so that it has the host's cgroup

    def __enter__(self) -> Self:
        said, say = os.pipe()
        asked, ask = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.close(ask)
            self._listen(say, asked)
            os._exit(0)
        os.close(asked)
        self._ask = ask
        self._port = int.from_bytes(os.read(said, 2), "little")
        os.close(say)
        os.close(said)
        return self

    def _listen(self, say: int, asked: int) -> None:
        server = socket.socket() if self._first else None
        (self._box.box.folder / "cgroup.procs").write_text("0")
        with server or socket.socket() as made:
            made.listen(64)
            os.write(say, made.getsockname()[1].to_bytes(2, "little"))
            os.read(asked, 1)

    def visit(self) -> None:
        socket.create_connection(("127.0.0.1", self._port)).close()

    def __exit__(self, *_: object) -> None:
        os.close(self._ask)
        os.waitpid(self._child, 0)


def test_what_the_host_does_is_nobodys_flow(box: Peers, port: int) -> None:
    socket.create_connection(("127.0.0.1", port)).close()
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", CLOSED_PORT)) == REFUSED
    assert box.saw(Net) == []
    assert box.total(layout.KIND_NET) == 0


def test_each_box_has_its_own(make_box: Callable[[], Peers], attack: str, port: int) -> None:
    first, second = make_box(), make_box()
    first.run(attack, "tcp", "127.0.0.1", str(port))
    second.run(attack, "tcp", "127.0.0.1", str(CLOSED_PORT), status=1)
    assert [event.port for event in first.saw(Net)] == [port]
    assert [event.port for event in second.saw(Net)] == [CLOSED_PORT, CLOSED_PORT]


def test_multipath_tcp_is_no_way_around(box: Peers, port: int) -> None:
    box.do(deeds.connect_by_mptcp, port)
    assert {(event.address, event.port) for event in box.saw(Net)} == {("127.0.0.1", port)}
