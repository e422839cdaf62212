"""UDP: peers by connect or by name alone, and the ports that sockets are bound to."""

import pytest

from model.event import Direction, Net, Protocol
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers

WAYS = ["udp", "udp-sendto", "udp-sendmsg", "udp-sendmmsg", "udp-uring"]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_send_is_one_event(box: Peers, attack: str, way: str) -> None:
    box.run(attack, way, "127.0.0.1", "9")
    (event,) = box.saw(Net)
    assert (event.direction, event.protocol, event.address, event.port) == (Direction.EGRESS, Protocol.UDP, "127.0.0.1", 9)
    assert (event.result, event.actor.comm, box.count(event)) == (-1, "attack", 1)


@pytest.mark.parametrize("way", WAYS)
def test_ipv6_too(box: Peers, attack: str, way: str) -> None:
    box.run(attack, way, "::1", "9")
    assert [(event.address, event.port) for event in box.saw(Net)] == [("::1", 9)]


@pytest.mark.parametrize("way", WAYS)
def test_an_ipv4_peer_through_an_ipv6_socket_is_an_ipv4_peer(box: Peers, attack: str, way: str) -> None:
    box.run(attack, way, "::ffff:127.0.0.1", "9")
    (event,) = box.saw(Net)
    assert (event.address, event.port) == ("127.0.0.1", 9)
    # On such a socket the kernel treats what is sent after a connect as sent by name: it is counted too.
    assert box.count(event) == (2 if way == "udp" else 1)


def test_each_peer_of_one_call_is_an_event(box: Peers, attack: str) -> None:
    box.run(attack, "udp-sendmmsg", "127.0.0.1", "9", "127.0.0.2", "10", "127.0.0.1", "9")
    assert [(event.address, event.port, box.count(event)) for event in box.saw(Net)] == [
        ("127.0.0.1", 9, 2),
        ("127.0.0.2", 10, 1),
    ]


def test_repeats_are_one_event_and_an_exact_count(box: Peers) -> None:
    box.do(deeds.send_again, 2000)
    (event,) = box.saw(Net)
    assert box.count(event) == 2000


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])  # noqa: S104 (where an attacker would listen)
def test_a_bound_port_is_told(box: Peers, attack: str, address: str) -> None:
    box.run(attack, "udp-bind", address, "5353")
    (event,) = box.saw(Net)
    assert (event.direction, event.protocol, event.address, event.port) == (Direction.BIND, Protocol.UDP, address, 5353)


def test_a_port_that_the_kernel_picks_and_a_stream_that_does_not_listen_are_no_news(box: Peers) -> None:
    box.do(deeds.bind_without_a_say)
    assert box.saw(Net) == []
