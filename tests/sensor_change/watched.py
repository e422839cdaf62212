"""A real container under a real sensor: what its programs do, and what the kernel said of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from agent.sensor import layout
from agent.sensor.decode import Decoder
from agent.sensor.flows import Flows
from agent.sensor.loader import Sensor
from agent.sensor.reports import Reports
from model.event import Change, Event, Exec, Flag, Layer, Load, Many, Mount, Net, Open, Operation, Privilege
from tests.containers.runc import Box

Kind = TypeVar("Kind", Change, Exec, Load, Many, Net, Open, Privilege)
Said = tuple[Operation, str, str | None]
_COUNT = layout.FLOW_FIELDS.index("count")


class Kernel:
    """One sensor's rings, and the names that its containers have for files."""

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.source = sensor.source()
        self.flows = Flows(sensor, Reports())
        self.decoder = Decoder(name=self._name)
        self.mounts: dict[tuple[int, int], list[tuple[str, str]]] = {}

    def close(self) -> None:
        self.flows.close()
        self.source.close()

    def events(self) -> list[Event]:
        """What came since the last call."""
        raws: list[bytes] = []
        while more := self.source.poll(0):
            raws += more
        return self.read(raws)

    def read(self, raws: list[bytes]) -> list[Event]:
        return [self._learned(self.decoder.decode(raw)) for raw in raws]

    def _learned(self, event: Event) -> Event:
        if isinstance(event, Mount):
            self.mounts.setdefault((event.container, event.device), []).append((event.root, event.point))
        return event

    def _name(self, container: int, device: int, _layer: Layer, path: str) -> tuple[str, int]:
        """By the longest root of the first mount table that the path is below."""
        below = [
            it for it in self.mounts.get((container, device), []) if path == it[0] or path.startswith(it[0].rstrip("/") + "/")
        ]
        if not below:
            return path, 0
        root, point = max(below)
        return point.rstrip("/") + "/" + path.removeprefix(root).lstrip("/"), 0


class Watched:
    """A box that is taken for a container."""

    def __init__(self, kernel: Kernel, box: Box) -> None:
        self.kernel, self.box = kernel, box

    def does(self, verb: str, *arguments: str) -> list[Change]:
        """A verb of tests/programs; its changes."""
        return self._saw(lambda: self.box.attack(verb, *arguments))

    def shell(self, script: str) -> list[Change]:
        """The same for a script of the box's shell."""
        return self._saw(lambda: self.runs("sh", "-c", script))

    def runs(self, *command: str) -> None:
        result = self.box.exec(*command)
        assert result.code == 0, result.err

    def _saw(self, act: Callable[[], object]) -> list[Change]:
        self.kernel.events()
        act()
        return self.saw(Change)

    def saw(self, kind: type[Kind]) -> list[Kind]:
        """Events of this container since the last look. Rings are written before the call that made the record returns."""
        events = self.kernel.events()
        return [it for it in events if isinstance(it, kind) and it.actor.container == self.box.cgroup_id]

    def host_file(self, path: str, text: str = "") -> Path:
        """A file made from outside: no event of the container's."""
        made = self.box.path(path)
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(text)
        return made

    def count(self, change: Change) -> int:
        """How often the kernel counted its flow."""
        value = self.kernel.sensor.map("flows").get(change.flow)
        assert value is not None
        return int(layout.FLOW.unpack(value)[_COUNT])

    def total(self, kind: int) -> int:
        """Everything of this kind that was counted: in flows, at folders, and where there was no room for either."""
        of = self.kernel.sensor.map
        whos = {key for key, value in of("whos").items() if layout.WHO.unpack(value)[0] == self.box.cgroup_id}
        flows = sum(
            layout.FLOW.unpack(value)[_COUNT] for key, value in of("flows").items() if key[:8] in whos and key[39] == kind
        )
        folders = [(layout.PREFIX_KEY.unpack(key), layout.PREFIX.unpack(value)[0]) for key, value in of("prefixes").items()]
        below = sum(count for (container, _, _, what), count in folders if container == self.box.cgroup_id and what >> 24 == kind)
        return int(flows + below + self.budget(kind, "over"))

    def budget(self, kind: int, field: str) -> int:
        """One number of its budget of this kind."""
        value = self.kernel.sensor.map("budgets").get(layout.BUDGET_KEY.pack(self.box.cgroup_id, kind))
        return int(layout.BUDGET.unpack(value)[layout.BUDGET_FIELDS.index(field)]) if value else 0


def said(changes: list[Change]) -> list[Said]:
    """What was changed, and from what to what."""
    return [(it.operation, it.file.path, it.target.path if it.target else None) for it in changes]


def proven(change: Change) -> bool:
    """No name is a mere claim, or was in doubt."""
    doubts = Flag.CLAIMED | Flag.UNSTABLE | Flag.DISCONNECTED | Flag.CUT
    files = [change.file, *([change.target] if change.target else [])]
    return not any(it.flags & doubts for it in files)
