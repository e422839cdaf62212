"""A tripwire passes every budget but its own: a flood of what is denied must not fill the urgent ring, which is everybody's."""

from agent.sensor import layout
from agent.sensor.allowances import Allowance
from model.event import Net
from tests.sensor_net import deeds
from tests.sensor_net.peers import Peers

DENIED = bytes(10) + b"\xff\xff" + bytes([127, 1, 0, 0])


def test_beyond_its_own_budget_what_is_denied_is_counted_like_anything_else(box: Peers) -> None:
    box.bench.flows.guard_network(box.cgroup, DENIED, 96 + 16)
    box.bench.flows.allow(box.cgroup, layout.KIND_TRIPWIRE, Allowance(0, 0, 20))
    box.bench.flows.allow(box.cgroup, layout.KIND_NET, Allowance(10, 0, 0))
    box.do(deeds.send_to_each, "127.1.0.0", 200, 9)
    assert len(box.saw(Net)) == 20
    assert box.total(layout.KIND_NET) == 200 - 10  # those that passed the quota are records, and in no map
