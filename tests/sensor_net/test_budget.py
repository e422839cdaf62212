"""The flow map's rules hold for the network: quotas, prefixes, tripwires; and what is counted is the truth."""

from ipaddress import ip_address

import pytest

from agent.sensor import layout
from agent.sensor.allowances import Allowance
from model.event import Net, Socket
from tests.containers.network import Namespace
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers

UDP = 17
PLENTY = Allowance(10_000, 10_000, 10_000)
MAPPED = bytes(10) + b"\xff\xff"


def test_beyond_the_quota_networks_are_counted_and_nothing_is_lost(box: Peers) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(5, 1000, 1000))
    box.do(deeds.send_to_each, "127.1.0.0", 1000, 9)
    assert len(box.saw(Net)) == 5
    assert box.below_prefixes(layout.KIND_NET) == 995
    assert box.budget(layout.KIND_NET, "over") == 0
    assert box.total(layout.KIND_NET) == 1000


def test_without_room_for_networks_the_container_is_counted(box: Peers) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(5, 1000, 1000))
    box.bench.flows.allow(box.cgroup, layout.KIND_MANY, Allowance(2, 1000, 1000))
    box.do(deeds.send_to_each, "127.1.0.0", 1024, 9)
    assert box.below_prefixes(layout.KIND_NET) == 251 + 256
    assert box.budget(layout.KIND_NET, "over") == 512
    assert box.total(layout.KIND_NET) == 1024


def test_a_quota_that_is_spent_hides_no_known_flow(box: Peers) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(1, 1000, 1000))
    box.do(deeds.send_to_each, "127.1.0.0", 1, 9)
    box.do(deeds.send_to_each, "127.1.0.0", 300, 9)
    (event,) = box.saw(Net)
    assert box.count(event) == 2


def test_one_container_spends_only_its_own(box: Peers, bench: object) -> None:
    del bench
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(0, 0, 0))
    with box.bench.container() as made:
        other = Peers(made)
        box.do(deeds.send_to_each, "127.1.0.0", 300, 9)
        other.do(deeds.send_to_each, "127.1.0.0", 1, 9)
        assert len(other.saw(Net)) == 1


def test_below_a_judged_network_everything_is_counted_and_nothing_told(box: Peers) -> None:
    names = (MAPPED + bytes([127, 3, 0, 0]))[8:]
    prefix = box.network(names, 9, UDP)
    box.bench.flows.install(prefix)
    box.do(deeds.send_to_each, "127.3.0.0", 256, 9)
    assert box.saw(Net) == []
    assert box.below_prefixes(layout.KIND_NET) == 256
    box.do(deeds.send_to_each, "127.3.0.0", 1, 10)
    box.do(deeds.send_to_each, "127.3.1.0", 1, 9)
    assert [(event.address, event.port) for event in box.saw(Net)] == [("127.3.0.0", 10), ("127.3.1.0", 9)]
    box.bench.flows.uninstall(prefix)


def test_an_ipv6_network_is_a_64(box: Peers, namespace: Namespace) -> None:
    namespace.run("ip", "-6", "route", "add", "local", "2001:db8::/32", "dev", "lo")
    prefix = box.network(ip_address("2001:db8::").packed[:8], 9, UDP)
    box.bench.flows.install(prefix)
    box.do(deeds.send_to_each, "2001:db8::1", 10, 9, 1 << 40, within=namespace.path)
    assert box.saw(Net) == []
    box.do(deeds.send_to_each, "2001:db8:0:1::1", 1, 9, within=namespace.path)
    assert [event.address for event in box.saw(Net)] == ["2001:db8:0:1::1"]
    box.bench.flows.uninstall(prefix)


@pytest.mark.parametrize("whose", ["this", "every"])
def test_a_denied_network_is_told_beyond_every_budget(box: Peers, whose: str) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(0, 0, 0))
    box.bench.flows.allow(box.cgroup, layout.KIND_MANY, Allowance(0, 0, 0))
    container = box.cgroup if whose == "this" else 0
    network = MAPPED + bytes([127, 4, 0, 0])
    box.bench.flows.guard_network(container, network, 96 + 16)
    try:
        box.do(deeds.send_to_each, "127.3.255.254", 6, 9)
        assert [event.address for event in box.saw(Net)] == ["127.4.0.0", "127.4.0.1", "127.4.0.2", "127.4.0.3"]
        assert box.budget(layout.KIND_NET, "over") == 2
    finally:
        key = layout.TRIPWIRE_NETWORK.pack(64 + 96 + 16, container & 0xFFFFFFFF, container >> 32, network)
        box.bench.sensor.map("tripwire_networks").delete(key)


def test_another_containers_tripwire_is_none(box: Peers) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(0, 0, 0))
    network = MAPPED + bytes([127, 4, 0, 0])
    box.bench.flows.guard_network(4711, network, 96 + 16)
    try:
        box.do(deeds.send_to_each, "127.4.0.0", 3, 9)
        assert box.saw(Net) == []
    finally:
        key = layout.TRIPWIRE_NETWORK.pack(64 + 96 + 16, 4711, 0, network)
        box.bench.sensor.map("tripwire_networks").delete(key)


def test_without_tokens_a_flow_waits_in_the_map_and_the_sweep_tells_it(box: Peers) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(100, 0, 0))
    box.do(deeds.send_to_each, "127.5.0.0", 20, 9)  # the first uses a token of the default
    told = {event.address for event in box.saw(Net)}
    swept = {event.address for event in box.bench.flows.sweep().firsts if isinstance(event, Net)}
    assert told | swept == {f"127.5.0.{number}" for number in range(20)}
    assert box.total(layout.KIND_NET) == 20


def test_sockets_beyond_the_quota_are_counted(box: Peers) -> None:
    box.bench.flows.allow(box.cgroup, layout.KIND_SOCKET, Allowance(3, 100, 100))
    box.do(deeds.make_each, 50)
    assert len(box.saw(Socket)) == 3
    assert box.total(layout.KIND_SOCKET) == 50
