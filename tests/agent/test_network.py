"""Who talks to whom: every way to reach a peer or to wait for one is a record with address, port, and result where known."""

import errno
import socket
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from model.event import Direction, Dns, Layer, Net, Protocol, Session, Socket, Unix
from tests.agent.conftest import MakeNamedBox, StartAgent
from tests.agent.sight import Sight
from tests.containers.network import Resolver
from tests.containers.runc import Box
from tests.containers.spec import Mount

PORTS = count(2000)
LOCAL = "127.0.0.1"
TCP = ("tcp", "tcp-nonblocking", "tcp-fast-open", "tcp-mapped", "tcp-uring", "tcp-uring-async", "tcp-int80")
UDP = ("udp", "udp-sendto", "udp-sendmsg", "udp-sendmmsg", "udp-uring")
EGRESS, INGRESS = Direction.EGRESS, Direction.INGRESS
ZONE = {"www.example.com": [("CNAME", "web.example.net")], "web.example.net": [("A", "127.0.0.9")]}


@pytest.fixture(scope="module")
def resolver(plain: Box) -> Iterator[Resolver]:
    with Resolver(plain.pid, ZONE) as running:
        yield running


def flow(agent: Sight, box: Box, direction: Direction, **conditions: Any) -> Net:
    event = agent.sees(box, Net, direction=direction, **conditions).event
    assert isinstance(event, Net)
    return event


@pytest.mark.parametrize("verb", TCP)
def test_each_way_to_connect_is_seen_and_so_is_who_accepted(agent: Sight, plain: Box, verb: str) -> None:
    port = next(PORTS)
    with plain.popen("/usr/bin/attack", "serve", LOCAL, str(port)) as server:
        assert server.stdout is not None
        server.stdout.readline()
        plain.attack(verb, LOCAL, str(port))
    event = flow(agent, plain, EGRESS, port=port)
    assert (event.address, event.protocol, event.actor.session) == (LOCAL, Protocol.TCP, Session.EXEC)
    accepted = flow(agent, plain, INGRESS, local_port=port)
    assert (accepted.address, accepted.result) == (LOCAL, 0)
    agent.settled(plain)
    assert not agent.records(plain, Net, direction=EGRESS, port=port, result=lambda error: error > 0)


@pytest.mark.parametrize("verb", TCP)
def test_a_connection_that_is_refused_says_so(agent: Sight, plain: Box, verb: str) -> None:
    port = next(PORTS)
    plain.exec("/usr/bin/attack", verb, LOCAL, str(port))
    assert flow(agent, plain, EGRESS, port=port, result=errno.ECONNREFUSED).address == LOCAL


@pytest.mark.parametrize("verb", UDP)
@pytest.mark.parametrize("address", [LOCAL, "::1"])
def test_each_way_to_send_a_datagram_is_seen(agent: Sight, plain: Box, verb: str, address: str) -> None:
    port = next(PORTS)
    plain.attack(verb, address, str(port))
    event = flow(agent, plain, EGRESS, port=port)
    assert (event.address, event.protocol) == (address, Protocol.UDP)


def test_several_peers_in_one_call_are_several(agent: Sight, plain: Box) -> None:
    port = next(PORTS)
    plain.attack("udp-sendmmsg", LOCAL, str(port), "127.0.0.2", str(port))
    for address in (LOCAL, "127.0.0.2"):
        flow(agent, plain, EGRESS, port=port, address=address)


@pytest.mark.parametrize("address", [LOCAL, "::1", "0.0.0.0", "::"])  # noqa: S104 - in a namespace of its own
def test_who_waits_for_connections_is_seen(agent: Sight, plain: Box, address: str) -> None:
    port = next(PORTS)
    plain.attack("listen", address, str(port))
    assert flow(agent, plain, Direction.LISTEN, port=port).address == address


def test_a_datagram_socket_that_is_bound_is_seen(agent: Sight, plain: Box) -> None:
    port = next(PORTS)
    plain.attack("udp-bind", LOCAL, str(port))
    assert flow(agent, plain, Direction.BIND, port=port).protocol is Protocol.UDP


@pytest.mark.parametrize(
    ("command", "families"),
    [
        ("raw", {(socket.AF_INET, 3), (socket.AF_INET6, 3)}),
        ("packet", {(socket.AF_PACKET, 3), (socket.AF_PACKET, 2)}),
        ("netlink", {(socket.AF_NETLINK, 3)}),
        ("socket 40 1", {(40, 1)}),
    ],
)
def test_sockets_that_go_around_tcp_and_udp_are_seen_when_made(
    agent: Sight, plain: Box, command: str, families: set[tuple[int, int]]
) -> None:
    plain.attack(*command.split())
    for family, kind in families:
        agent.sees(plain, Socket, family=family, type=kind)


@pytest.mark.parametrize("verb", ["unix-stream", "unix-sequence"])
def test_a_unix_socket_is_known_by_its_file(agent: Sight, plain: Box, verb: str) -> None:
    plain.attack(verb, f"/tmp/{verb}")
    event = agent.sees(plain, Unix, path=f"/tmp/{verb}").event
    assert isinstance(event, Unix)
    assert event.file is not None
    assert (event.file.layer, event.result) == (Layer.WRITABLE, 0)


def test_a_datagram_to_a_unix_socket_is_seen(agent: Sight, plain: Box) -> None:
    plain.attack("unix-datagram", "/tmp/datagram")
    agent.sees(plain, Unix, path="/tmp/datagram")


def test_an_abstract_unix_socket_is_known_by_its_name(agent: Sight, plain: Box) -> None:
    plain.attack("unix-abstract", "hidden")
    agent.sees(plain, Unix, abstract="hidden", file=None)


def test_a_runtime_s_socket_from_the_host_is_on_a_volume(agent: Sight, a_box: MakeNamedBox, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        box = a_box("plain", mounts=(Mount(str(tmp_path), "/mnt"),))
        box.attack("unix-connect", "/mnt/engine.sock")
        agent.sees(box, Unix, path="/mnt/engine.sock", layer=Layer.VOLUME)


@pytest.mark.parametrize("verb", ["dns-udp", "dns-tcp"])
def test_a_name_and_its_answer_are_seen(agent: Sight, plain: Box, resolver: Resolver, verb: str) -> None:
    plain.attack(verb, "127.0.0.53", "53", "www.example.com")
    event = agent.sees(plain, Dns, rcode=0).event
    assert isinstance(event, Dns)
    assert (event.name, event.server, event.addresses) == ("www.example.com", "127.0.0.53", ("127.0.0.9",))
    assert event.aliases == ("web.example.net",)


def test_a_connection_carries_the_name_it_was_looked_up_by(agent: Sight, plain: Box, resolver: Resolver) -> None:
    plain.attack("dns-udp", "127.0.0.53", "53", "www.example.com")
    agent.sees(plain, Dns, rcode=0)
    port = next(PORTS)
    plain.attack("udp", "127.0.0.9", str(port))
    assert flow(agent, plain, EGRESS, port=port).name == "www.example.com"


def test_without_dns_no_hook_looks_at_packets_and_it_is_said(agent_of_its_own: StartAgent) -> None:
    own = agent_of_its_own(sensor={"dns": False, "sweep_interval_s": 0.2})
    (start,) = own.notes("start")
    assert sorted(start.says["missing"]) == ["cgroup_skb/egress", "cgroup_skb/ingress"]
    said = own.verb("status", "--settings", str(own.settings)).stdout
    assert "DNS answers are not seen: connections carry no names" in said
