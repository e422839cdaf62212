"""DNS: what a container asks, and what it is told, over UDP and TCP."""

import sys
import time

import pytest

from agent.sensor import layout
from model.event import Dns
from tests.containers.network import Namespace
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers, eventually

A = 1
QUERY = -1


@pytest.mark.parametrize("kind", [2, 1], ids=["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"], ids=["ipv4", "ipv6"])
def test_a_query_and_its_answer_are_told(box: Peers, namespace: Namespace, address: str, kind: int) -> None:
    box.do(deeds.ask, address, kind, 2, True, within=namespace.path)
    eventually(lambda: len(box.saw_dns()) == 2, "both are seen")
    query, answer = box.saw_dns()
    assert (query.name, query.type, query.rcode, query.server, query.addresses) == ("www.example.org", A, QUERY, address, ())
    assert (answer.name, answer.rcode, answer.server, answer.ttl_s) == ("www.example.org", 0, address, 60)
    assert answer.addresses == ("192.0.0.0", "192.0.0.1")


@pytest.mark.parametrize("kind", [2, 1], ids=["udp", "tcp"])
def test_a_query_that_nobody_answers_is_told_too(box: Peers, namespace: Namespace, kind: int) -> None:
    box.do(deeds.ask, "127.0.0.1", kind, 0, False, within=namespace.path)
    eventually(lambda: bool(box.saw_dns()), "it is seen")
    assert [event.rcode for event in box.saw_dns()] == [QUERY]


@pytest.mark.parametrize("kind", [2, 1], ids=["udp", "tcp"])
def test_of_a_long_answer_the_whole_records_of_its_beginning_are_told(box: Peers, namespace: Namespace, kind: int) -> None:
    box.do(deeds.ask, "127.0.0.1", kind, 200, True, within=namespace.path)
    eventually(lambda: len(box.saw_dns()) == 2, "both are seen")
    assert len(box.saw_dns()[1].addresses) == 64  # as many as are taken from one message; 1232 bytes hold 74


def test_other_traffic_is_no_dns(box: Peers, namespace: Namespace) -> None:
    malformed = box.bench.decoder.malformed
    box.do(deeds.chat, 5353, within=namespace.path)
    assert box.saw_dns() == []
    assert box.bench.decoder.malformed == malformed


def test_beyond_the_budget_each_is_counted_as_lost(box: Peers, namespace: Namespace) -> None:
    began = time.monotonic()
    box.do(deeds.flood, 3000, within=namespace.path)
    told, lost = len(box.saw_dns()), box.budget(layout.KIND_DNS, "lost")
    assert told + lost == 3000
    assert 900 <= told <= 1000 + 100 * (time.monotonic() - began)


def test_what_the_host_asks_is_nobodys(box: Peers, namespace: Namespace) -> None:
    before = dns_events(box)
    namespace.run(sys.executable, "-I", "-S", deeds.__file__, "ask", repr(("127.0.0.1", 2, 1, True)))
    assert dns_events(box) == before


def dns_events(box: Peers) -> list[Dns]:
    return [it for it in box.bench.events() if isinstance(it, Dns)]
