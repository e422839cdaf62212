"""Rights that grow although nothing may let them grow are told; every lawful way to rights is not.

No program can do the unlawful without a broken kernel. So it is the sensor's memory that is changed here: the record says
that the process had less than it has.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.sensor import btf
from model.event import Privilege
from tests.sensor_change.watched import Watched

PROGRAM, SET_USER_ID = "/usr/bin/rights", "/usr/bin/rights-of-root"
CAP_SETUID = 1 << 7
OTHER = (1 << 64) - 1


@pytest.fixture(scope="module")
def program(box: Watched, tmp_path_factory: pytest.TempPathFactory) -> str:
    """rights.c inside the box; once more with the set-user-id bit."""
    built = tmp_path_factory.mktemp("rights") / "rights"
    source = Path(__file__).with_name("rights.c")
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", built, source], check=True)
    for target, mode in ((PROGRAM, 0o755), (SET_USER_ID, 0o4755)):
        shutil.copy(built, box.box.path(target))
        box.box.path(target).chmod(mode)
    return PROGRAM


@dataclass
class Holder:
    """A process in the box that holds rights, and the sensor's record of it."""

    box: Watched
    running: "subprocess.Popen[bytes]"
    pid: int

    def does(self, *orders: str) -> list[Privilege]:
        """What is told while it obeys."""
        self.box.kernel.events()
        for order in orders:
            assert self.running.stdin
            self.running.stdin.write(f"{order}\n".encode())
            self.running.stdin.flush()
            assert self.answer() == ("ready" if order.startswith("exec") else "done"), order
        return self.box.saw(Privilege)

    def answer(self) -> str:
        assert self.running.stdout
        return self.running.stdout.readline().decode().strip()

    def had(self, *, seen_anew: bool = True, **rights: int) -> None:
        """Let the record say that it had these. `seen_anew`: as if its credentials were another object since."""
        fields = layout_of_record(self.box)
        if seen_anew:
            rights["cred"] = 0
        procs = self.box.kernel.sensor.map("procs")
        with key_of(self.pid) as key:
            record = bytearray(procs.get(key) or b"")
            for name, value in rights.items():
                offset, size = fields[name]
                record[offset : offset + size] = value.to_bytes(size, "little")
            procs.put(key, bytes(record))


@contextmanager
def key_of(pid: int) -> Iterator[bytes]:
    """A process as the key of a map of task storage: a pidfd."""
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor.to_bytes(4, "little")
    finally:
        os.close(descriptor)


def layout_of_record(box: Watched) -> dict[str, tuple[int, int]]:
    """Offset and size of what is in struct proc, and of its rights, from the object's own types."""
    types = box.kernel.sensor._object._types
    proc = types.resolve(types.find(btf.STRUCT, "proc"))
    found = {}
    for member in types.members(proc):
        inside = types.resolve(member.type)
        parts = types.members(inside) if member.name == "rights" else [member]
        start = member.offset if member.name == "rights" else 0
        for part in parts:
            found[part.name] = ((start + part.offset), types.bytes_of(types.resolve(part.type)))
    return found


Hold = Callable[..., Holder]


@pytest.fixture
def hold(box: Watched, program: str) -> Iterator[Hold]:
    with ExitStack() as stack:

        def start(user: int = 0) -> Holder:
            before = set(box.box.processes())
            running = stack.enter_context(box.box.popen(program, user=user))
            held = Holder(box, running, 0)
            assert running.stdin
            stack.callback(running.stdin.close)
            assert held.answer() == "ready"
            (held.pid,) = [pid for pid in set(box.box.processes()) - before if name_of(pid) == "rights"]
            return held

        yield start


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


LAWFUL = {
    "nothing": ("open /etc/hosts", "fork"),
    "a user id that was kept in reserve": ("euid 1000", "open /etc/hosts", "euid 0", "open /etc/hosts"),
    "giving rights away": ("drop", "open /etc/hosts", "fork"),
    "giving the user id away": ("uid 1000", "open /etc/hosts", "fork"),
    "root's rights by an exec after they were dropped": ("drop", "open /etc/hosts", f"exec {PROGRAM}", "open /etc/hosts"),
    "a set-user-id program": ("uid 1000", "open /etc/hosts", f"exec {SET_USER_ID}", "open /etc/hosts", "fork"),
    "a namespace below one's own": ("namespace", "open /etc/hosts", "fork", f"exec {PROGRAM}", "open /etc/hosts"),
    "the same without rights before": ("uid 1000", "open /etc/hosts", "namespace", "open /etc/hosts", "fork"),
}


@pytest.mark.parametrize("orders", LAWFUL.values(), ids=LAWFUL)
def test_lawful_ways_to_rights_are_not_told(hold: Hold, orders: tuple[str, ...]) -> None:
    assert hold().does(*orders) == []


def test_a_set_user_id_program_started_by_somebody_else_is_lawful(hold: Hold) -> None:
    assert hold(user=1000).does("open /etc/hosts", f"exec {SET_USER_ID}", "open /etc/hosts", "fork") == []


def test_capabilities_that_grew_are_told(hold: Hold) -> None:
    holder = hold()
    holder.had(permitted=1)
    (told,) = holder.does("open /etc/hosts")
    assert (told.actor.pid, told.before, told.before_euid) == (holder.pid, 1, 0)
    assert told.after & CAP_SETUID
    assert holder.does("open /etc/hosts", "fork") == []


@pytest.mark.parametrize("order", ["open /etc/hosts", "fork", f"exec {PROGRAM}"])
def test_a_user_id_out_of_nowhere_is_told(hold: Hold, order: str) -> None:
    holder = hold()
    holder.does("drop")
    holder.had(uid=1000, euid=1000, suid=1000, permitted=0)
    (told,) = holder.does(order)
    assert (told.before_euid, told.actor.euid) == (1000, 0)


def test_rights_that_were_overwritten_in_place_are_told_at_the_next_fork(hold: Hold) -> None:
    holder = hold()
    holder.does("open /etc/hosts")
    holder.had(permitted=0, seen_anew=False)
    assert len(holder.does("fork")) == 1


def test_the_right_to_set_user_ids_may_be_used(hold: Hold) -> None:
    holder = hold()
    now = (1 << 41) - 1
    holder.had(uid=1000, euid=1000, suid=1000, permitted=now)
    assert holder.does("open /etc/hosts") == []


def test_a_namespace_that_is_not_below_ones_own_is_told(hold: Hold) -> None:
    holder = hold()
    holder.had(user_namespace=OTHER, user_level=1)
    assert len(holder.does("open /etc/hosts")) == 1


def test_a_set_user_id_program_explains_the_user_id(hold: Hold) -> None:
    holder = hold()
    holder.had(uid=1000, euid=1000, suid=1000, permitted=0)
    assert holder.does(f"exec {SET_USER_ID}") == []
