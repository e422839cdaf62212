"""The kernel's memory of what is known, from Python's side: answer flows, sweep their counts, decide about containers.

No counted value is ever rewritten from here: answers and sweeps are programs that run in the kernel (bpf/answer.bpf.c), so
that no hit is lost between a read and a write. Not for two threads at once.
"""

import mmap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from struct import Struct

from agent.sensor import layout
from agent.sensor.allowances import Allowance
from agent.sensor.loader import Sensor
from agent.sensor.losses import Losses
from agent.sensor.reports import Reports
from agent.sensor.source import Channel, Tap
from agent.sensor.ticks import Ticks, boot_ns
from model.event import Event, FlowCount, Gap, Session

_U32, _U64 = Struct("<I"), Struct("<Q")
_SWEEP = Struct("<3Q4I")  # struct sweep_args: container, idle_ns, now; out: full, reported, deleted; in: whole
_DECIDE = Struct("<3QI4x")  # struct decide_args
_ALLOW = Struct("<QI4x3Q")  # struct allow_args
_PASSES = 64  # of one sweep: so often may the ring of reports be full
_LARGEST = 1 << 32


@dataclass(frozen=True)
class Sweep:
    """What one sweep found."""

    counts: list[FlowCount]
    firsts: list[Event] = field(default_factory=list)  # first sights that no ring had room for: judge, log, remember them


@dataclass(frozen=True)
class Prefix:
    """A folder (by its name hash, see names.py) or a network of a container, below which events of one class are one."""

    container: int
    names: int
    device: int  # as the container sees it; network: port << 16 | protocol
    what: int  # kind << 24 | layer << 16 | class: see struct prefix_key
    text: str = ""  # the folder or network, as its counts will say it

    def packed(self) -> bytes:
        """As the map's key."""
        return layout.PREFIX_KEY.pack(self.container, self.names, self.device, self.what)


class Flows:
    """Flow map, prefixes, budgets, tripwires and the table of containers of one sensor."""

    def __init__(self, sensor: Sensor, reports: Reports, tap: Tap | None = None) -> None:
        self._sensor, self._read, self._tap = sensor, reports, tap
        self._ring = sensor.ring("reports")
        self._answers = sensor.map("answers")
        self._page = mmap.mmap(self._answers.descriptor, self._answers.max_entries * self._answers.value_bytes)
        self._whos, self._budgets, self._prefixes = (sensor.map(name) for name in ("whos", "budgets", "prefixes"))
        self._containers, self._tripwires = sensor.map("containers"), sensor.map("tripwires")
        self._networks = sensor.map("tripwire_networks")
        self._owned = [self._budgets, self._prefixes, self._tripwires, sensor.map("superblocks")]
        self.losses = Losses(self._budgets, sensor.map("counters", per_cpu=True))
        self.ticks = Ticks(sensor.read_ticks, sensor.set_ticks)
        self._seen: dict[bytes, int] = {}  # prefix → count at the last sweep; no more than the map holds
        self._names: dict[bytes, str] = {}  # prefix → its folder or network, where Python answered for it

    def remember(self, keys: Iterable[bytes]) -> None:
        """The log took them: from now on the kernel only counts these flows."""
        self._answer(keys, layout.FLOW_KNOWN)

    def watch(self, keys: Iterable[bytes]) -> None:
        """The same for flows of violations: each sweep tells what was added, however little."""
        self._answer(keys, layout.FLOW_WATCHED)

    def forget(self, keys: Iterable[bytes]) -> None:
        """Send these flows again at their next hit: their verdict is no longer sure."""
        self._answer(keys, layout.FLOW_UNSENT)

    def _answer(self, keys: Iterable[bytes], state: int) -> None:
        pack, waiting = layout.ANSWER.pack, iter(keys)
        while batch := [pack(key, state) for key in islice(waiting, self._answers.max_entries)]:
            joined = b"".join(batch)
            self._page[: len(joined)] = joined
            self._sensor.run("answer", _U32.pack(len(batch)))

    def sweep(self, idle_s: float = 0, *, whole: bool = True) -> Sweep:
        """What changed since the last sweep. Flows that were idle for `idle_s` (0: never) are reported and forgotten.

        Not `whole`: of what is known, only counts that doubled since they were told. What is done all the time is then told
        ever less often, and never lost: the next whole sweep has it.
        """
        self.renew_clock()
        swept = self._swept(0, int(idle_s * 1e9), whole=whole)
        swept.counts.extend(self._swept_prefixes(whole=whole))
        self._sensor.run("forget_whos", bytes(8))  # an empty context is refused
        return swept

    def renew_clock(self) -> None:
        """Let the programs count by ticks, as soon as it is known how long one is."""
        self.ticks.renew()

    def end(self, *containers: int) -> tuple[Sweep, list[Gap]]:
        """They are gone: their last counts and losses; then nothing of them is left in the kernel. Answer their flows before.

        Costs a walk over the smaller maps, for many at once as for one, and two over the flows for each.
        """
        counts: list[FlowCount] = []
        firsts: list[Event] = []
        for container in containers:
            swept = self._swept(container, 0, whole=True)
            self._swept(container, 0, whole=True)  # deletes what the first pass retired
            counts += swept.counts
            firsts += swept.firsts
        ended = frozenset(containers)
        counts += self._swept_prefixes(ended)
        gaps = self.losses.last(ended)
        self._remove(ended)
        return Sweep(counts, firsts), gaps

    def _swept(self, container: int, idle_ns: int, *, whole: bool) -> Sweep:
        found: list[bytes] = []
        now = boot_ns()
        for _ in range(_PASSES):
            _, out = self._sensor.run("sweep", _SWEEP.pack(container, idle_ns, now, 0, 0, 0, whole))
            found += self._reported()
            if not _SWEEP.unpack(out)[3]:
                break
        if found and self._tap:
            self._tap(Channel.REPORTS, found)
        firsts, counts = self._read.all(found, now)
        return Sweep(counts, firsts)

    def _reported(self) -> list[bytes]:
        everything: list[bytes] = []
        while records := self._ring.drain():
            everything += records
        return everything

    def _swept_prefixes(self, ended: frozenset[int] = frozenset(), *, whole: bool = True) -> list[FlowCount]:
        """Counts of prefixes that changed, as for flows. Of containers that have ended: all of their own, as final."""
        now, counts = boot_ns(), []
        for key, value in self._prefixes.items():
            container, _, _, what = layout.PREFIX_KEY.unpack(key)
            count, _, last_ns, actor, *_ = layout.PREFIX.unpack(value)
            before = self._seen.get(key, 0)
            moved = count > before and (whole or count >= 2 * before)
            if (moved and not ended) or container in ended:
                self._seen[key] = count
                pid, low = divmod(actor, _LARGEST)
                counts.append(
                    FlowCount(now, key, container, Session.STANDING, what >> 24, count, count - before, 0, last_ns, pid, low,
                              self._names.get(key, ""), bool(ended))
                )  # fmt: skip
        return counts

    def _remove(self, containers: frozenset[int]) -> None:
        for entries in self._owned:
            for key in [key for key, _ in entries.items() if _owner(key) in containers]:
                entries.delete(key)
                self._seen.pop(key, None)
                self._names.pop(key, None)
        for who in [key for key, value in self._whos.items() if layout.WHO.unpack(value)[0] in containers]:
            self._whos.delete(who)
        for key in [key for key, _ in self._networks.items() if _owner(key[4:]) in containers]:
            self._networks.delete(key)
        for container in containers:
            self._containers.delete(_U64.pack(container))

    def install(self, prefix: Prefix, *, children_only: bool = False) -> None:
        """Count below this folder from now on: Python judged all of it (or its direct children)."""
        scope = layout.PREFIX_CHILDREN if children_only else layout.PREFIX_TREE
        self._prefixes.put(prefix.packed(), layout.PREFIX.pack(0, 0, 0, 0, scope), new=True)
        self._names[prefix.packed()] = prefix.text

    def uninstall(self, prefix: Prefix) -> FlowCount | None:
        """Judge below this folder again. What was counted there since the last sweep, if anything was."""
        key = prefix.packed()
        value, before, text = self._prefixes.get(key), self._seen.pop(key, 0), self._names.pop(key, "")
        self._prefixes.delete(key)
        if value is None:
            return None
        count, _, last_ns, actor, *_ = layout.PREFIX.unpack(value)
        pid, low = divmod(actor, _LARGEST)
        return FlowCount(
            boot_ns(), key, prefix.container, Session.STANDING, prefix.what >> 24, count, count - before, 0, last_ns, pid, low,
            text, final=True,
        )  # fmt: skip

    def allow(self, container: int, kind: int, allowance: Allowance) -> None:
        """Give one container another budget of this kind. What the kernel counted in it stays."""
        self._sensor.run("allow", _ALLOW.pack(container, kind, allowance.quota, allowance.rate, allowance.burst))

    def guard_file(self, container: int, names: int, device: int) -> None:
        """Send every use of this file, or of what lies below this folder, whatever the budget says. Container 0: in all."""
        self._tripwires.put(layout.TRIPWIRE_KEY.pack(container, names, device), _U32.pack(1))

    def guard_name(self, container: int, name: int) -> None:
        """The same for every file that has this one name, or lies below a folder that has it; by the name's hash alone."""
        self._tripwires.put(layout.TRIPWIRE_KEY.pack(container, name, 0), _U32.pack(1))
        self._sensor.wire_name(name)

    def guard_network(self, container: int, address: bytes, bits: int) -> None:
        """Send every connection to this network (16 bytes; IPv4 mapped, so +96 bits), whatever the budget says."""
        key = _U32.pack(64 + bits) + _U64.pack(container) + address  # low word, high word
        self._networks.put(key, _U32.pack(1))

    def decide(self, cgroup: int, state: int) -> None:
        """Say what a cgroup is (layout.CONTAINER_*). What the kernel noted of it stays."""
        self._sensor.run("decide", _DECIDE.pack(cgroup, 0, 0, state))

    def drop(self, cgroup: int) -> None:
        """Forget a cgroup that was never a container. Until it was known for the host's it may have spent of budgets."""
        self._containers.delete(_U64.pack(cgroup))
        for kind in range(layout.KINDS):
            self._budgets.delete(layout.BUDGET_KEY.pack(cgroup, kind))
        self.losses.forget(cgroup)

    def set_main(self, cgroup: int, pid: int, started_ns: int) -> None:
        """Name the main process of a container that was running before the agent. What the kernel saw itself stays."""
        self._sensor.run("decide", _DECIDE.pack(cgroup, pid, started_ns, layout.CONTAINER_YES))

    def containers(self) -> Iterator[tuple[int, int]]:
        """Cgroup id and state of all that the kernel knows."""
        state = layout.CONTAINER_FIELDS.index("state")
        return ((_U64.unpack(key)[0], layout.CONTAINER.unpack(value)[state]) for key, value in self._containers.items())

    def close(self) -> None:
        """Unmap."""
        self._ring.close()
        self._page.close()


def _owner(key: bytes) -> int:
    """The container at the beginning of a key."""
    return int.from_bytes(key[:8], "little")
