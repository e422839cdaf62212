"""The live table: cgroup id → container. Events go in, decisions for the kernel come out; no clock and no waiting inside.

Who is what:
- A cgroup below a container's cgroup belongs to that container, whatever it is called.
- A cgroup without a record is tried again until it is found or its deadline passes; then its path's shape decides.
- One that ends before that is decided at its end. Its record may have come and gone with it, so only one in which no
  runtime handed over can still be the host's.
- An ended container stays known for some minutes, because its last events are still on their way.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from agent.node.mountinfo import parse
from agent.node.mounts import Mounts
from agent.node.oci import Decision, State
from model.event import Cgroup, Handover, Layer, Mount
from model.origin import Container

_MS = 1_000_000
_S = 1000 * _MS
# After these times a cgroup without a record is looked up again. A runtime's record is there within 100 ms; the last
# ones are for a runtime that was stopped or restarted meanwhile.
_TRIES = (10 * _MS, 20 * _MS, 40 * _MS, 80 * _MS, 160 * _MS, 320 * _MS, 640 * _MS, 1280 * _MS)
_LATE = (5 * _S, 15 * _S, 60 * _S)


_INSIDE = (State.CONTAINER, State.UNIDENTIFIED)
_REMEMBERED = 8192  # nested cgroups, and the host's


class Decides(Protocol):
    """What knows the runtimes' records: `agent.node.oci.Runtimes`, or a fake."""

    def decide(self, cgroup_path: str) -> Decision:
        """What the records say of this cgroup now."""
        ...


class Answer(Struct, frozen=True):
    """A decision to be told to the kernel, and to those who keep events of this cgroup.

    `container.cgroup` is another one where the cgroup is nested in a container's.
    """

    cgroup: int
    state: State
    container: Container | None  # None: the host's
    conflict: tuple[str, ...] = ()
    late: bool = False  # it was answered differently before

    @property
    def in_kernel(self) -> int:
        """The state's number in `enum container_state`."""
        return State.CONTAINER if self.state is State.UNIDENTIFIED else self.state


class _Entry(Struct):
    """A cgroup that is, may be, or lately was a container."""

    path: str
    container: Container  # a nameless one while undecided or unidentified
    made_ns: int
    state: State = State.UNDECIDED
    mounts: Mounts | None = None
    tries: int = 0
    handed_over: bool = False
    ended_ns: int = 0  # 0: alive


def _unknown_path(_cgroup: int) -> str:
    return ""


class Containers:
    """All containers of the node, live and lately ended: at most `limit`, the longest ended go first.

    `path_of` finds the path of a cgroup whose making was not seen; "" if it is gone.
    """

    def __init__(
        self,
        runtimes: Decides,
        path_of: Callable[[int], str] = _unknown_path,
        deadline_ns: int = 2 * _S,
        keep_ns: int = 300 * _S,
        limit: int = 4096,
    ) -> None:
        self._runtimes = runtimes
        self._path_of = path_of
        self._schedule = (*(wait for wait in _TRIES if wait < deadline_ns), deadline_ns, *(deadline_ns + wait for wait in _LATE))
        self._deadline_ns = deadline_ns
        self._keep_ns = keep_ns
        self._limit = limit
        self._entries: dict[int, _Entry] = {}
        self._by_path: dict[str, int] = {}  # live entries
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._nested: OrderedDict[int, int] = OrderedDict()  # cgroup below a container's → that container's
        self._hosts: OrderedDict[int, None] = OrderedDict()  # the host's, whose last events may still come
        self._due: list[tuple[int, int]] = []
        self._answers: list[Answer] = []
        self._forgotten: list[int] = []
        self._now_ns = 0
        self._refused: OrderedDict[int, None] = OrderedDict()
        self.refused = 0  # live containers beyond the limit: still watched by the kernel, but nameless

    def __len__(self) -> int:
        return len(self._entries)

    def of(self, cgroup: int) -> Container | None:
        """The container of a cgroup, nested ones included; nameless while undecided or unknown; None: the host's."""
        entry = self._entries.get(cgroup)
        if entry is not None:
            return None if entry.state is State.HOST else entry.container
        if not cgroup or cgroup in self._hosts:
            return None
        owner = self._entries.get(self._nested.get(cgroup, 0))
        return owner.container if owner else self._stray(cgroup)

    def state(self, cgroup: int) -> State:
        """What a cgroup is held for; UNDECIDED also where it is unknown. What an undecided one does isn't judged yet."""
        entry = self._entries.get(cgroup) or self._entries.get(self._nested.get(cgroup, 0))
        if entry is None:
            return State.HOST if cgroup in self._hosts or not cgroup else State.UNDECIDED
        return entry.state

    def awaits(self, cgroup: int) -> bool:
        """Whether `answers` will tell what this cgroup is: it is undecided, and there is room for it in the table."""
        entry = self._entries.get(cgroup) or self._entries.get(self._nested.get(cgroup, 0))
        return entry is not None and entry.state is State.UNDECIDED

    def live(self) -> list[Container]:
        """The identified and unidentified containers that haven't ended."""
        return [entry.container for entry in self._entries.values() if not entry.ended_ns and entry.state in _INSIDE]

    def answers(self) -> list[Answer]:
        """The decisions since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def forgotten(self) -> list[int]:
        """Ids of containers that left the table since the last call: whoever keeps something for them may drop it."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def take_cgroup(self, event: Cgroup) -> None:
        """A cgroup was made or removed."""
        self._now_ns = event.time_ns
        if not event.alive:
            self._end(event.id, event.time_ns)
        elif self._is_news(event.id):
            self._begin(event.id, event.parent, event.path, event.time_ns, event.time_ns)

    def take_handover(self, event: Handover) -> None:
        """The runtime is done: its record must exist by now."""
        cgroup = event.actor.container
        entry = self._entries.get(cgroup)
        if entry and entry.state is not State.CONTAINER:
            entry.handed_over = True
            self._decide(cgroup, entry, event.time_ns)

    def take_mount(self, event: Mount) -> None:
        """A row of a container's first mount table."""
        entry = self._entries.get(event.container)
        if entry:
            entry.mounts = entry.mounts or Mounts()
            entry.mounts.add(event)

    def take_mountinfo(self, cgroup: int, raw: bytes, time_ns: int) -> None:
        """The mount table of a container that ran before us, from /proc/PID/mountinfo of its init."""
        entry = self._entries.get(cgroup)
        if entry and entry.mounts is None:
            entry.mounts = Mounts(parse(raw, cgroup, time_ns))

    def stock(self, cgroups: Iterable[tuple[int, int, str]], now_ns: int) -> None:
        """Take the cgroups (id, parent, path) that exist at the start, parents first."""
        for cgroup, parent, path in cgroups:
            if cgroup not in self._entries:
                self._begin(cgroup, parent, path, now_ns, 0)

    def name(self, container: int, device: int, layer: Layer, text: str) -> tuple[str, int]:
        """How a container names a file, and bits of `model.event.Flag` to add. See `Mounts.name`."""
        entry = self._entries.get(container)
        if entry is None or entry.mounts is None:
            return text, 0
        return entry.mounts.name(device, layer, text)

    def aliases(self, container: int, device: int, text: str) -> tuple[str, ...]:
        """All names a container has for a file: what denies must try each."""
        entry = self._entries.get(container)
        return entry.mounts.aliases(device, text) if entry and entry.mounts else ()

    def is_seen_twice(self, container: int, device: int) -> bool:
        """Whether files of this filesystem may have more than one name in this container."""
        entry = self._entries.get(container)
        return entry is not None and entry.mounts is not None and entry.mounts.is_seen_twice(device)

    def place(self, container: int, path: str, device: int | None = None) -> tuple[int, str] | None:
        """Device and path inside its filesystem of what a container calls so. See `Mounts.place`."""
        entry = self._entries.get(container)
        return entry.mounts.place(path, device) if entry and entry.mounts else None

    def whole(self, container: int, path: str, device: int, layer: Layer) -> str | None:
        """The folder inside its filesystem, if no other mount names some of it otherwise. See `Mounts.whole`."""
        entry = self._entries.get(container)
        return entry.mounts.whole(path, device, layer) if entry and entry.mounts else None

    def due_ns(self) -> int | None:
        """When `tick` has something to do next, on the clock of the events."""
        ends = self._entries[next(iter(self._ended))].ended_ns + self._keep_ns if self._ended else None
        tries = self._due[0][0] if self._due else None
        return min((when for when in (ends, tries) if when is not None), default=None)

    def tick(self, now_ns: int) -> None:
        """Look up again what is due, forget what ended long ago."""
        self._now_ns = now_ns
        while self._due and self._due[0][0] <= now_ns:
            _, cgroup = heappop(self._due)
            entry = self._entries.get(cgroup)
            if entry and not entry.ended_ns and entry.state is not State.CONTAINER:
                self._decide(cgroup, entry, now_ns)
        while self._ended and self._entries[next(iter(self._ended))].ended_ns + self._keep_ns <= now_ns:
            self._forget(next(iter(self._ended)))

    def _begin(self, cgroup: int, parent: int, path: str, now_ns: int, started_ns: int) -> None:
        owner = self._owner(parent, path)
        if owner:
            self._nest(cgroup, owner)
            return
        if path and path in self._by_path:
            self._end(self._by_path[path], now_ns)  # its removal was not seen
        if not self._has_room():
            self._refuse(cgroup)
            return
        entry = self._entries[cgroup] = _Entry(path, _nameless(cgroup, path, started_ns), now_ns)
        if path:
            self._by_path[path] = cgroup
        self._decide(cgroup, entry, now_ns)

    def _stray(self, cgroup: int) -> Container | None:
        """A cgroup whose making was not seen: taken for a container until its path says otherwise."""
        if not self._has_room():
            self._refuse(cgroup)
            return _nameless(cgroup, "", 0)
        path = self._path_of(cgroup)
        if path:
            self._begin(cgroup, 0, path, self._now_ns, 0)
            return None if cgroup in self._hosts else self.of(cgroup)
        entry = self._entries[cgroup] = _Entry("", _nameless(cgroup, "", 0), self._now_ns)
        self._settle(cgroup, entry, Decision(State.UNIDENTIFIED))
        self._end(cgroup, self._now_ns)  # it is gone: only its last events still come
        return entry.container

    def _is_news(self, cgroup: int) -> bool:
        """Whether its making is still to be taken. What it did may come by another ring before, and made a stray of it."""
        entry = self._entries.get(cgroup)
        if entry is not None and not entry.path:
            self._ended.pop(cgroup, None)
            self._drop(cgroup)
        return cgroup not in self._entries

    def _owner(self, parent: int, path: str) -> int:
        """The outermost container that the cgroup lies in; 0 if it lies in none."""
        owner = 0
        above = path
        while above := above.rpartition("/")[0]:
            found = self._by_path.get(above, 0)
            owner = found if found and self._entries[found].state in _INSIDE else owner
        parent = self._nested.get(parent, parent)
        by_parent = self._entries.get(parent)
        return owner or (parent if by_parent and by_parent.state in _INSIDE else 0)

    def _nest(self, cgroup: int, owner: int) -> None:
        self._nested[cgroup] = owner
        _bound(self._nested)
        self._answers.append(Answer(cgroup, State.CONTAINER, self._entries[owner].container))

    def _decide(self, cgroup: int, entry: _Entry, now_ns: int) -> None:
        owner = self._owner(0, entry.path)
        if owner:
            self._drop(cgroup)
            self._nest(cgroup, owner)
            return
        decision = self._runtimes.decide(entry.path)
        if decision.container or decision.conflict or decision.final or now_ns - entry.made_ns >= self._deadline_ns:
            self._settle(cgroup, entry, decision)
        if not (decision.container or decision.final):
            self._again(cgroup, entry, now_ns)

    def _conclude(self, cgroup: int, entry: _Entry) -> None:
        """It ends undecided: no record can come any more, and what is kept of its events is waiting."""
        decision = self._runtimes.decide(entry.path)
        if decision.state is State.HOST and not decision.final and entry.handed_over:
            decision = Decision(State.UNIDENTIFIED)
        self._settle(cgroup, entry, decision)

    def _settle(self, cgroup: int, entry: _Entry, decision: Decision) -> None:
        found = decision.container
        if found:
            entry.container = replace(found, cgroup=cgroup, started_ns=entry.container.started_ns)
        changed = decision.state is not entry.state
        late = changed and entry.state is not State.UNDECIDED
        entry.state = decision.state
        if changed:
            shown = None if decision.state is State.HOST else entry.container
            self._answers.append(Answer(cgroup, decision.state, shown, decision.conflict, late))
        if decision.state is State.HOST:
            self._hosts[cgroup] = None
            _bound(self._hosts)
        elif changed:
            self._hosts.pop(cgroup, None)
            self._adopt(cgroup, entry)
        if decision.state is State.HOST and decision.final:
            self._drop(cgroup)

    def _adopt(self, cgroup: int, entry: _Entry) -> None:
        """What was taken for a cgroup of its own below this one is part of the container."""
        below = entry.path + "/"
        for path in [path for path in self._by_path if entry.path and path.startswith(below)]:
            inner = self._by_path[path]
            self._drop(inner)
            self._nest(inner, cgroup)

    def _again(self, cgroup: int, entry: _Entry, now_ns: int) -> None:
        while entry.tries < len(self._schedule):
            when = entry.made_ns + self._schedule[entry.tries]
            entry.tries += 1
            if when > now_ns:
                heappush(self._due, (when, cgroup))
                return
        if entry.state is State.HOST:
            self._drop(cgroup)

    def _end(self, cgroup: int, now_ns: int) -> None:
        entry = self._entries.get(cgroup)
        if entry and entry.state is State.UNDECIDED:
            self._conclude(cgroup, entry)
            entry = self._entries.get(cgroup)
        if entry is None:
            self._nested.pop(cgroup, None)
        elif entry.state is State.HOST:
            self._drop(cgroup)
        elif not entry.ended_ns:
            entry.ended_ns = max(now_ns, 1)
            self._by_path.pop(entry.path, None)
            self._ended[cgroup] = None

    def _refuse(self, cgroup: int) -> None:
        """Counted once, however often it is looked up."""
        if cgroup not in self._refused:
            self.refused += 1
            self._refused[cgroup] = None
            _bound(self._refused)

    def _has_room(self) -> bool:
        if len(self._entries) >= self._limit and self._ended:
            self._forget(next(iter(self._ended)))
        return len(self._entries) < self._limit

    def _forget(self, cgroup: int) -> None:
        del self._ended[cgroup]
        self._drop(cgroup)
        self._forgotten.append(cgroup)

    def _drop(self, cgroup: int) -> None:
        entry = self._entries.pop(cgroup)
        if self._by_path.get(entry.path) == cgroup:
            del self._by_path[entry.path]


def _bound(ids: "OrderedDict[int, Any]") -> None:
    if len(ids) > _REMEMBERED:
        ids.popitem(last=False)


def _nameless(cgroup: int, path: str, started_ns: int) -> Container:
    return Container(cgroup, path, id="", name="", image="", runtime="unidentified", started_ns=started_ns)
