"""DNS: what a container asks, and what it is told, over UDP and TCP."""

import time
from collections.abc import Callable

import pytest

from agent.sensor import layout
from model.event import Dns
from tests.containers.network import Namespace
from tests.sensor_net.peers import Peers, eventually

A, AAAA = 1, 28
QUERY = -1
Deed = Callable[..., None]


def ask(address: str, kind: int, answers: int, reply: bool) -> None:
    """Ask a server in the same process: a question for www.example.org, answered by so many addresses."""
    import socket

    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    question = b"\3www\7example\3org\0" + (1).to_bytes(2, "big") + b"\0\1"
    query = b"\x12\x34\1\0\0\1" + bytes(6) + question
    records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([192, 0, n >> 8, n & 255]) for n in range(answers))
    answer = b"\x12\x34\x81\x80\0\1" + answers.to_bytes(2, "big") + bytes(4) + question + records
    lead = (lambda it: len(it).to_bytes(2, "big") + it) if kind == socket.SOCK_STREAM else (lambda it: it)
    with socket.socket(family, kind) as server, socket.socket(family, kind) as client:
        server.bind((address, 53))
        if kind == socket.SOCK_STREAM:
            server.listen()
        client.connect((address, 53))
        client.sendall(lead(query))
        if not reply:
            return
        if kind == socket.SOCK_STREAM:
            accepted = server.accept()[0]
            accepted.recv(4096)
            accepted.sendall(lead(answer))
            accepted.close()
        else:
            server.sendto(answer, server.recvfrom(4096)[1])
        client.recv(65535)


@pytest.mark.parametrize("kind", [2, 1], ids=["udp", "tcp"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"], ids=["ipv4", "ipv6"])
def test_a_query_and_its_answer_are_told(box: Peers, namespace: Namespace, address: str, kind: int) -> None:
    box.do(ask, address, kind, 2, True, within=namespace.path)
    eventually(lambda: len(box.saw_dns()) == 2, "both are seen")
    query, answer = box.saw_dns()
    assert (query.name, query.type, query.rcode, query.server, query.addresses) == ("www.example.org", A, QUERY, address, ())
    assert (answer.name, answer.rcode, answer.server, answer.ttl_s) == ("www.example.org", 0, address, 60)
    assert answer.addresses == ("192.0.0.0", "192.0.0.1")


@pytest.mark.parametrize("kind", [2, 1], ids=["udp", "tcp"])
def test_a_query_that_nobody_answers_is_told_too(box: Peers, namespace: Namespace, kind: int) -> None:
    box.do(ask, "127.0.0.1", kind, 0, False, within=namespace.path)
    eventually(lambda: bool(box.saw_dns()), "it is seen")
    assert [event.rcode for event in box.saw_dns()] == [QUERY]


@pytest.mark.parametrize("kind", [2, 1], ids=["udp", "tcp"])
def test_of_a_long_answer_the_whole_records_of_its_beginning_are_told(box: Peers, namespace: Namespace, kind: int) -> None:
    box.do(ask, "127.0.0.1", kind, 200, True, within=namespace.path)
    eventually(lambda: len(box.saw_dns()) == 2, "both are seen")
    assert len(box.saw_dns()[1].addresses) == 64  # as many as are taken from one message; 1232 bytes hold 74


def chat(port: int) -> None:
    """Datagrams on port 53 that are no DNS, and DNS on another port."""
    import socket

    query = b"\x12\x34\1\0\0\1" + bytes(6) + b"\3www\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 53))
        for text in (b"", b"x", bytes(11), bytes(600)):
            client.sendto(text, ("127.0.0.1", 53))
        client.sendto(query[:2] + b"\x81" + query[3:], ("127.0.0.1", 53))
        client.sendto(query, ("127.0.0.1", port))


def test_other_traffic_is_no_dns(box: Peers, namespace: Namespace) -> None:
    malformed = box.bench.decoder.malformed
    box.do(chat, 5353, within=namespace.path)
    assert box.saw_dns() == []
    assert box.bench.decoder.malformed == malformed


def flood(times: int) -> None:
    import socket

    query = b"\x12\x34\1\0\0\1" + bytes(6) + b"\3www\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 53))
        client.connect(("127.0.0.1", 53))
        for _ in range(times):
            client.send(query)


def test_beyond_the_budget_each_is_counted_as_lost(box: Peers, namespace: Namespace) -> None:
    began = time.monotonic()
    box.do(flood, 3000, within=namespace.path)
    told, lost = len(box.saw_dns()), box.budget(layout.KIND_DNS, "lost")
    assert told + lost == 3000
    assert 900 <= told <= 1000 + 100 * (time.monotonic() - began)


def test_what_the_host_asks_is_nobodys(box: Peers, namespace: Namespace) -> None:
    host = [it for it in box.bench.events() if isinstance(it, Dns)]
    namespace.run("python3", "-c", "import socket; s=socket.socket(2,2); s.sendto(b'\\x12\\x34\\1\\0\\0\\1'+bytes(6)+b'\\1a\\0\\0\\1\\0\\1',('127.0.0.1',53))")
    assert [it for it in box.bench.events() if isinstance(it, Dns)] == host
