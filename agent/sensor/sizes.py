"""How large rings and maps are made, from one memory budget."""

from dataclasses import dataclass

from agent.sensor import layout

_ENTRY_OVERHEAD = 80  # a hash map's element header, its bucket, and what the allocator rounds up; kernel/bpf/hashtab.c
_BYTES = {  # key and value
    "flows": layout.FLOW_KEY.size + layout.FLOW.size,
    "tails": layout.FLOW_KEY.size + 64,
    "whos": 8 + layout.WHO.size,
    "budgets": layout.BUDGET_KEY.size + layout.BUDGET.size,
    "prefixes": layout.PREFIX_KEY.size + layout.PREFIX.size,
}
# A ring counts in our resident memory. A full one loses nothing: the maps keep what it had no room for.
_RING_SHARES = {"urgent": 1 / 16, "novelty": 1 / 16, "reports": 1 / 64}
_MAP_SHARES = {"flows": 0.5, "tails": 0.06, "whos": 0.04, "budgets": 0.06, "prefixes": 0.06}
MINIMUM_BYTES = 4 << 20


@dataclass(frozen=True)
class Sizes:
    """Bytes of each ring and entries of each map that grows; maps that are not named keep the size they were compiled with."""

    rings: dict[str, int]
    entries: dict[str, int]

    def memory_bytes(self) -> int:
        """What all of it takes when full."""
        maps = sum(count * (_BYTES[name] + _ENTRY_OVERHEAD) for name, count in self.entries.items())
        return sum(self.rings.values()) + maps


def planned(memory_bytes: int) -> Sizes:
    """Share out the budget. Rings are powers of two, and whole pages whatever a page is."""
    if memory_bytes < MINIMUM_BYTES:
        raise ValueError(f"a memory budget of {memory_bytes} bytes is too small\nhint: give at least {MINIMUM_BYTES >> 20} MiB")
    rings = {name: max(1 << 16, _power_below(int(memory_bytes * share))) for name, share in _RING_SHARES.items()}
    shares = _MAP_SHARES.items()
    return Sizes(rings, {name: int(memory_bytes * share) // (_BYTES[name] + _ENTRY_OVERHEAD) for name, share in shares})


def _power_below(size: int) -> int:
    return 1 << (size.bit_length() - 1)
