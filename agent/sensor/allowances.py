"""How much of each kind one container may put into the flow map and onto the rings, before events are only counted.

A budget is made in the kernel at the first event of its container and kind, with these numbers; `Flows.allow` changes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct

from agent.sensor import layout

_ALLOWANCE = Struct("<3Q")


@dataclass(frozen=True)
class Allowance:
    """Of one kind, for each container."""

    quota: int  # flows in the map at a time (of execs: those beyond the rate); 0 for kinds that have no flows
    rate: int  # records a second on average
    burst: int  # records at once


# Execs are records one by one: what two loops of fork and exec can do must fit. Others are first sights, and rare.
DEFAULTS: Mapping[int, Allowance] = {
    layout.KIND_EXEC: Allowance(4096, 10_000, 50_000),
    layout.KIND_EXIT: Allowance(0, 10_000, 50_000),
    layout.KIND_OPEN: Allowance(8192, 1000, 10_000),
    layout.KIND_LOAD: Allowance(2048, 200, 2000),
    layout.KIND_CHANGE: Allowance(4096, 500, 5000),
    layout.KIND_NET: Allowance(4096, 500, 5000),
    layout.KIND_SOCKET: Allowance(256, 50, 500),
    layout.KIND_UNIX: Allowance(512, 100, 1000),
    layout.KIND_DNS: Allowance(0, 100, 1000),
    layout.KIND_CGROUP: Allowance(0, 1000, 10_000),
    layout.KIND_HANDOVER: Allowance(0, 1000, 10_000),
    layout.KIND_MOUNT: Allowance(0, 10_000, 100_000),
    layout.KIND_LEFT: Allowance(0, 100, 1000),
    layout.KIND_PRIVILEGE: Allowance(0, 100, 1000),
    layout.KIND_WHO: Allowance(2048, 0, 0),
    layout.KIND_MANY: Allowance(1024, 100, 1000),
    layout.KIND_TRIPWIRE: Allowance(0, 200, 2000),
}


def packed(allowances: Mapping[int, Allowance]) -> bytes:
    """As the constant `allowances` of the programs: one row a kind, by number."""
    none = Allowance(0, 0, 0)
    rows = [allowances.get(kind, none) for kind in range(layout.KINDS)]
    return b"".join(_ALLOWANCE.pack(row.quota, row.rate, row.burst) for row in rows)
