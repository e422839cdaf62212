"""A box whose programs talk, and what the kernel says of it: events, and the exact counts in its maps."""

import sys
from collections.abc import Callable
from enum import IntEnum, IntFlag
from typing import TypeVar

from agent.sensor import layout
from agent.sensor.flows import Prefix
from model.event import Direction, Dns, Net, Socket, Unix
from tests.sensor_net import deeds
from tests.sensor_python.kernel import Box, wait

Seen = TypeVar("Seen", Net, Socket, Unix)
_KEY, _COUNT = layout.FLOW_KEY.size, layout.FLOW_FIELDS.index("count")


class Peers:
    """One box."""

    def __init__(self, box: Box) -> None:
        self.box, self.bench, self.cgroup = box, box.bench, box.cgroup

    def run(self, *command: str, status: int = 0) -> None:
        self.box.run(*command, status=status)

    def do(self, deed: Callable[..., None], *arguments: object, within: str = "") -> None:
        """`deed`: a function of deeds.py. `within`: path of a network namespace."""
        plain = tuple(int(it) if isinstance(it, IntEnum | IntFlag) else it for it in arguments)
        enter = ["/usr/bin/nsenter", f"--net={within}"] if within else []
        self.run(*enter, sys.executable, "-I", "-S", deeds.__file__, deed.__name__, repr(plain))

    def saw(self, kind: type[Seen]) -> list[Seen]:
        """First sights so far. Rings are written before the call that made the record returns."""
        return self.box.saw(kind)

    def saw_net(self, direction: Direction = Direction.EGRESS) -> list[Net]:
        return [it for it in self.saw(Net) if it.direction is direction]

    def saw_dns(self) -> list[Dns]:
        return [it for it in self.bench.events() if isinstance(it, Dns) and it.container == self.cgroup]

    def count(self, event: Net | Socket | Unix) -> int:
        """How often the kernel counted the event's flow."""
        value = self.bench.sensor.map("flows").get(event.flow)
        assert value is not None
        return int(layout.FLOW.unpack(value)[_COUNT])

    def total(self, kind: int) -> int:
        """Everything of this kind that was counted: in flows, below prefixes, and where there was no room for either."""
        return self._flows(kind) + self.below_prefixes(kind) + self.budget(kind, "over")

    def _flows(self, kind: int) -> int:
        whos = {key for key, value in self.bench.sensor.map("whos").items() if layout.WHO.unpack(value)[0] == self.cgroup}
        flows = self.bench.sensor.map("flows").items()
        return sum(layout.FLOW.unpack(value)[_COUNT] for key, value in flows if key[:8] in whos and key[39] == kind)

    def below_prefixes(self, kind: int) -> int:
        entries = [(layout.PREFIX_KEY.unpack(key), value) for key, value in self.bench.sensor.map("prefixes").items()]
        mine = [value for (container, _, _, what), value in entries if container == self.cgroup and what >> 24 == kind]
        return sum(layout.PREFIX.unpack(value)[0] for value in mine)

    def budget(self, kind: int, field: str) -> int:
        value = self.bench.sensor.map("budgets").get(layout.BUDGET_KEY.pack(self.cgroup, kind))
        return layout.BUDGET.unpack(value)[layout.BUDGET_FIELDS.index(field)] if value else 0

    def network(self, eight: bytes, port: int, protocol: int) -> Prefix:
        """The key of what is sent to a /24 or /64, as struct prefix_key says."""
        names = int.from_bytes(eight, sys.byteorder)
        return Prefix(self.cgroup, names, port << 16 | protocol, layout.KIND_NET << 24 | layout.DIRECTION_EGRESS)


def eventually(condition: Callable[[], bool], claim: str) -> None:
    """For what comes in a softirq, later than the call that caused it."""
    wait(condition, claim)
