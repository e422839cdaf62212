"""What was not itemised, from the kernel's own counters: differences become Gap events, container by container.

Nothing is counted twice: what a container's budget counts is the container's; only the rest of the global counters is
nobody's (container 0).
"""

from struct import Struct

from agent.sensor import layout
from agent.sensor.maps import Map
from agent.sensor.reports import KINDS
from agent.sensor.ticks import boot_ns
from model.event import Gap

_U64 = Struct("<Q")
_COUNTED = ("over", "unsent", "lost")
_PLACES = {"over": "budget", "unsent": "budget.unsent", "lost": "ring"}  # place of a Gap
_NOBODYS = {  # counters that no budget shows → place, kind
    layout.COUNTER_NO_RECORD: ("task_storage", ""),
    layout.COUNTER_NO_BUDGET: ("budgets", ""),
    layout.COUNTER_VMA_BUSY: ("vma", "load"),
    layout.COUNTER_MOUNTS_CUT: ("mounts", "mount"),
    layout.COUNTER_RACE: ("descriptor", "open"),
    layout.COUNTER_DNS_LOST: ("ring", "dns"),
    layout.COUNTER_TOUCHED_CUT: ("touched", "change"),
}
COUNTERS = {value: name.removeprefix("COUNTER_").lower() for name, value in vars(layout).items() if name.startswith("COUNTER_")}


class Losses:
    """Reads budgets and counters. `read` is called by one task, every few seconds."""

    def __init__(self, budgets: Map, counters: Map) -> None:
        self._budgets, self._counters = budgets, counters
        self._before: dict[tuple[int, int], tuple[int, ...]] = {}
        self._counted: dict[int, int] = {}
        self._ringed = 0  # what ended containers lost on a ring since the last read
        self._read_ns = boot_ns()

    def counters(self) -> dict[str, int]:
        """The sensor's own counters, summed over the CPUs, by name."""
        return {name: self._counter(number) for number, name in COUNTERS.items()}

    def entries(self) -> dict[str, int]:
        """How many entries the maps with a quota hold, by map; from the budgets, for counting a map means walking over it."""
        flows = layout.BUDGET_FIELDS.index("flows")
        held = {"flows": 0, "whos": 0, "prefixes": 0}
        for key, value in self._budgets.items():
            kind = layout.BUDGET_KEY.unpack(key)[1]
            of = {layout.KIND_WHO: "whos", layout.KIND_MANY: "prefixes"}.get(kind, "flows")
            held[of] += layout.BUDGET.unpack(value)[flows]
        return held

    def read(self) -> list[Gap]:
        """What was lost since the last call."""
        now, began = boot_ns(), self._read_ns
        self._read_ns = now
        gaps, ringed = self._of_budgets(now, began)
        return [*gaps, *self._of_nobody(now, began, ringed)]

    def last(self, containers: frozenset[int]) -> list[Gap]:
        """What these lost since the last call; then they are forgotten: for when their budgets are removed."""
        now, gaps = boot_ns(), []
        for key, value in self._budgets.items():
            if layout.BUDGET_KEY.unpack(key)[0] in containers:
                gaps += self._difference(key, value, now, self._read_ns)
                self._before.pop(layout.BUDGET_KEY.unpack(key), None)
        self._ringed += _on_rings(gaps)
        return gaps

    def forget(self, container: int) -> None:
        """Its budgets are gone, and what they counted tells nobody anything."""
        for kind in range(layout.KINDS):
            self._before.pop((container, kind), None)

    def _of_budgets(self, now: int, began: int) -> tuple[list[Gap], int]:
        gaps: list[Gap] = []
        for key, value in self._budgets.items():
            gaps += self._difference(key, value, now, began)
        ringed, self._ringed = self._ringed + _on_rings(gaps), 0
        return gaps, ringed

    def _difference(self, key: bytes, value: bytes, now: int, began: int) -> list[Gap]:
        container, kind = layout.BUDGET_KEY.unpack(key)
        named = dict(zip(layout.BUDGET_FIELDS, layout.BUDGET.unpack(value), strict=True))
        counts = tuple(named[name] for name in _COUNTED)
        before = self._before.get((container, kind), (0, 0, 0))
        self._before[container, kind] = counts
        return [
            Gap(now, container, _PLACES[name], KINDS.get(kind, ""), after - was, began)
            for name, after, was in zip(_COUNTED, counts, before, strict=True)
            if after > was
        ]

    def _of_nobody(self, now: int, began: int, ringed: int) -> list[Gap]:
        rest = self._added(layout.COUNTER_URGENT_LOST) - ringed
        found = [Gap(now, 0, "ring.urgent", "", rest, began)] if rest > 0 else []
        for number, (place, kind) in _NOBODYS.items():
            added = self._added(number)
            if added > 0:
                found.append(Gap(now, 0, place, kind, added, began))
        return found

    def _added(self, number: int) -> int:
        count, before = self._counter(number), self._counted.get(number, 0)
        self._counted[number] = count
        return count - before

    def _counter(self, number: int) -> int:
        value = self._counters.get(number.to_bytes(4, "little")) or b""
        return sum(each for (each,) in _U64.iter_unpack(value))


def _on_rings(gaps: list[Gap]) -> int:
    return sum(gap.count for gap in gaps if gap.place == _PLACES["lost"])
