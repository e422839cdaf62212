"""The policies change under an agent that knows ten thousand flows: how long it takes, what it holds, and what is lost."""

import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from agent.outputs.reading import read
from agent.remembered import Remembered
from agent.sensor.decode import Decoder
from bench.agent import Agent
from bench.rows import Row, at_most, exactly, one, row
from bench.shop import Shop
from model.event import Open
from model.origin import Container, Origin
from model.record import Note
from tests.containers.runc import Box
from tests.sensor_python.records import open_

FILES, USERS = 2000, (3, 2)  # users of each box: more than 8,192 flows of one kind are not itemised
AGAIN = 300_000  # opens that go on meanwhile, of each box
PATIENCE_S = 60.0
CHANGES, QUICK_CHANGES = 9, 3
# No folder below is answered for as a whole: a pattern tells its files apart.
POLICY = """apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {{name: bench}}
spec:
  select: {{containers: {{names: ["*"]}}}}
  read: {{deny: ["/data/**/never", {more}]}}
"""
NOTHING, FOLDER, ALL = "/not/there/{}", "/data/d07/**", "/data/**"


def measure(shop: Shop) -> Iterator[Row]:
    """Changes that change nothing, while it is quiet and while the flows are used; then one that forbids a folder, and all."""
    with tempfile.TemporaryDirectory(dir=shop.workshop.folder) as folder, ExitStack() as stack:
        policies = Path(folder)
        _write(policies, NOTHING.format("begin"))
        agent = stack.enter_context(shop.agent(policies))
        boxes = [stack.enter_context(shop.box()) for _ in USERS]
        agent.settle()
        before = agent.resident_bytes()[0]
        _know(boxes)
        agent.settle()
        known = agent.status()["policies"]["remembered"]
        grown = agent.resident_bytes()[0] - before
        yield from _changes(shop, agent, policies, "known flows judged again")
        with _used(boxes):
            yield from _changes(shop, agent, policies, "the same while they are used")
        for name, denied in (("one folder of them forbidden", FOLDER), ("all of them forbidden", ALL)):
            says, _ = _change(agent, policies, denied)
            note = f"{says['violation']} violations, {says['news']} news"
            yield one(f"{name}: judged", says["took_s"], "s", at_most(2), note)
        said = agent.settle()
        yield one("lost", sum(sum(said.of(box.cgroup_id).lost.values()) for box in boxes), "", exactly(0))
        note = f"the agent grew by {grown >> 10} KiB for {known}"
        yield one("memory of a known flow", _bytes_of_a_flow(), "bytes", at_most(1024), note)


def _write(policies: Path, more: str) -> None:
    part = policies / ".part"
    part.write_text(POLICY.format(more=more))
    part.rename(policies / "bench.yaml")


def _know(boxes: Sequence[Box]) -> None:
    """Each file by each user: the second time the kernel counts."""
    for box, users in zip(boxes, USERS, strict=True):
        for user in range(users):
            for _ in range(2):
                done = box.exec("/usr/bin/bulk", "open-cold", str(FILES), user=user)
                if done.code:
                    raise RuntimeError(done.err)


@contextmanager
def _used(boxes: Sequence[Box]) -> Iterator[None]:
    running = [box.popen("/usr/bin/bulk", "open-cold", str(AGAIN)) for box in boxes]
    yield
    for each in running:
        _ended(each)


def _ended(running: "subprocess.Popen[bytes]") -> None:
    _, error = running.communicate(timeout=PATIENCE_S)
    if running.returncode:
        raise RuntimeError(error.decode(errors="replace"))


def _changes(shop: Shop, agent: Agent, policies: Path, name: str) -> Iterator[Row]:
    took: list[float] = []
    until: list[float] = []
    judged = 0
    for number in range(QUICK_CHANGES if shop.quick else CHANGES):
        says, in_force_s = _change(agent, policies, NOTHING.format(f"{name[:3]}{number}"))
        took.append(says["took_s"])
        until.append(in_force_s)
        judged = says["same"]
    yield row(f"{name}", took, "s", at_most(1), f"{judged} flows")
    yield row(f"{name}: until it is in force, after the file", until, "s", at_most(1))


def _change(agent: Agent, policies: Path, more: str) -> tuple[dict[str, Any], float]:
    """What the agent says of a change, and how long after the file it was in force."""
    before, began_ns = len(_notes(agent, "rejudged")), time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    _write(policies, more)
    until_s = time.monotonic() + PATIENCE_S
    while len(notes := _notes(agent, "rejudged")) == before:
        if time.monotonic() > until_s:
            raise RuntimeError("a change of the policies was not judged in time")
        time.sleep(0.05)
    in_force = [note for note in _notes(agent, "policies") if note.says.get("generation") == notes[-1].says["generation"]]
    return notes[-1].says, (in_force[-1].time_ns - began_ns) / 1e9


def _notes(agent: Agent, kind: str) -> list[Note]:
    return [entry for entry in read(agent.log, "evidence") if isinstance(entry, Note) and entry.kind == kind]


class _Nobody:
    """A kernel that is told nothing."""

    def remember(self, keys: object) -> None:
        """As it says."""

    watch = forget = remember


def _bytes_of_a_flow(count: int = 10_000) -> float:
    """With all that it keeps alive, each process having made four: as decoded from the ring, in this process."""
    decoder, box = Decoder(), Container(7, "/box", "id", "box", "", "runc")
    raws = [
        open_(
            b"/usr/share/nginx/html/assets/%08d.js" % number,
            by_pid=1000 + number // 4,
            by_started_ns=5_000_000_000 + number // 4,
            key=number.to_bytes(40, "little"),
            file_ino=1 << 40 | number,
        )
        for number in range(count)
    ]
    tracemalloc.start()
    try:
        remembered = Remembered(_Nobody())
        for raw in raws:
            event = decoder.decode(raw)
            if not isinstance(event, Open):
                raise TypeError(event)
            remembered.see(event, Origin(box, None), None)
        remembered.settle(remembered.all())
        return tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()
