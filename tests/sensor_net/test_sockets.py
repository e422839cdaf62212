"""Sockets that are made for something else than TCP, UDP and AF_UNIX."""

import socket

import pytest

from model.event import Socket
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers

PACKET, VSOCK, XDP = 17, 40, 44
STREAM, DGRAM, RAW = 1, 2, 3


@pytest.mark.parametrize(
    ("family", "kind", "protocol"),
    [
        (socket.AF_INET, RAW, 1),
        (socket.AF_INET6, RAW, 58),
        (socket.AF_INET, STREAM, 262),
        (socket.AF_INET, DGRAM, 136),
        (PACKET, RAW, 0x300),
        (PACKET, DGRAM, 8),
        (socket.AF_NETLINK, RAW, 0),
        (socket.AF_NETLINK, DGRAM, 12),
        (VSOCK, STREAM, 0),
        (XDP, RAW, 0),
    ],
    ids=["raw", "raw6", "mptcp", "udplite", "packet", "cooked packet", "route", "netfilter", "vsock", "xdp"],
)
def test_it_is_told_with_family_type_and_protocol(box: Peers, family: int, kind: int, protocol: int) -> None:
    box.do(deeds.make, family, kind, protocol)
    (event,) = box.saw(Socket)
    assert (event.family, event.type, event.protocol) == (family, kind, protocol)
    assert event.actor.pid > 0


def test_close_on_exec_and_nonblocking_are_no_type(box: Peers) -> None:
    box.do(deeds.make, PACKET, RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0)
    assert [event.type for event in box.saw(Socket)] == [RAW]


def test_repeats_are_one_event_and_an_exact_count(box: Peers) -> None:
    box.do(deeds.make, socket.AF_NETLINK, RAW, 0, 300)
    (event,) = box.saw(Socket)
    assert box.count(event) == 300


def test_another_protocol_is_another_behaviour(box: Peers) -> None:
    box.do(deeds.make, socket.AF_NETLINK, RAW, 0)
    box.do(deeds.make, socket.AF_NETLINK, RAW, 9)
    assert [event.protocol for event in box.saw(Socket)] == [0, 9]


def test_the_usual_ones_are_no_news(box: Peers) -> None:
    box.do(deeds.make_the_usual)
    assert box.saw(Socket) == []


def test_a_family_that_the_kernel_lacks_makes_no_socket(box: Peers) -> None:
    box.do(deeds.make_in_vain, 38)
    assert box.saw(Socket) == []


def test_a_32_bit_call_is_no_way_around(box: Peers) -> None:
    box.do(deeds.make_by_int80, PACKET, RAW, 0)
    assert [(event.family, event.type) for event in box.saw(Socket)] == [(PACKET, RAW)]


@pytest.mark.parametrize("family", [socket.AF_INET, PACKET], ids=["raw", "packet"])
def test_io_uring_is_no_way_around(box: Peers, attack: str, family: int) -> None:
    box.run(attack, "socket-uring", str(int(family)), str(RAW), "1")
    assert [(event.family, event.type, event.protocol) for event in box.saw(Socket)] == [(family, RAW, 1)]
