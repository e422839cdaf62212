"""Real containers of runc and containerd are identified by what their runtimes really write."""

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from agent.node.cgroups import existing
from agent.node.containers import Containers
from agent.node.mountinfo import parse
from agent.node.mounts import Mounts
from agent.node.oci import RuntimeRoot as Root
from agent.node.oci import Runtimes, State
from model.event import Cgroup, Handover, Layer
from model.text import from_bytes
from tests.containers import cgroups
from tests.containers.containerd import Containerd
from tests.containers.pods import Pods
from tests.containers.runc import MakeBox
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop
from tests.node.builders import actor

SECRET = "FAKE-not-a-secret"  # noqa: S105 - says so itself


@pytest.fixture
def runtimes(workshop: Workshop) -> Runtimes:
    return Runtimes([Root("runc", str(workshop.runtime_root))], fresh_s=0)


def test_a_box_is_identified_and_its_secrets_are_not_kept(box: MakeBox, runtimes: Runtimes) -> None:
    it = box(Recipe(environment=("PATH=/bin", f"PASSWORD={SECRET}"), image="registry.local/box:1"))
    decision = runtimes.decide(it.cgroup)
    assert decision.state is State.CONTAINER
    assert decision.container is not None
    assert (decision.container.id, decision.container.image) == (it.name, "registry.local/box:1")
    assert Path(decision.container.root) == it.root
    assert not decision.container.privileged
    assert SECRET not in repr(vars(runtimes)) + msgspec.json.encode(decision.container).decode()


def test_a_box_that_is_gone_is_no_container_any_more(box: MakeBox, runtimes: Runtimes) -> None:
    it = box()
    assert runtimes.decide(it.cgroup).state is State.CONTAINER
    it.stop()
    assert runtimes.decide(it.cgroup).state is State.HOST


def test_two_boxes_of_one_cgroup_are_believed_neither(box: MakeBox, runtimes: Runtimes) -> None:
    it = box()
    record = runtimes._host + f"{runtimes._roots[0].path}/{it.name}/state.json"
    forged = Path(runtimes._roots[0].path) / "forged" / "state.json"
    forged.parent.mkdir()
    try:
        forged.write_text(Path(record).read_text().replace("bundle=", "bundle=/forged"))
        decision = runtimes.decide(it.cgroup)
        assert decision.state is State.UNIDENTIFIED
        assert len(decision.conflict) == 2
    finally:
        forged.unlink()
        forged.parent.rmdir()


def test_a_running_box_is_found_at_the_start(box: MakeBox, runtimes: Runtimes) -> None:
    it = box()
    containers = Containers(runtimes)
    containers.stock(existing(str(cgroups.v2_root())), 0)
    found = containers.of(it.cgroup_id)
    assert found is not None
    assert found.id == it.name


def test_a_new_box_is_identified_by_the_time_its_program_runs(box: MakeBox, runtimes: Runtimes) -> None:
    """The cgroup is there first, as the kernel reports it; runc's state comes tens of milliseconds later."""
    name = f"late-{secrets.token_hex(4)}"
    cgroup = f"{Recipe().cgroup_parent}/{name}"
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(box, Recipe(name=name))
        containers = Containers(runtimes)
        made = when(lambda: _identity(cgroup))
        containers.take_cgroup(Cgroup(time.monotonic_ns(), made, 1, cgroup, True))
        starting.result()
    containers.tick(time.monotonic_ns())
    containers.take_handover(Handover(time.monotonic_ns(), actor(cgroup=made), 0))
    found = containers.of(made)
    assert found is not None
    assert found.name == name


def when(found: Callable[[], int]) -> int:
    """What is found, as soon as it is there."""
    until = time.monotonic() + 20
    while not (it := found()):
        assert time.monotonic() < until
        time.sleep(0.001)
    return it


def _identity(cgroup: str) -> int:
    try:
        return cgroups.identity(cgroup)
    except FileNotFoundError:
        return 0


def test_a_running_boxs_mounts_name_its_files(box: MakeBox) -> None:
    it = box()
    raw = Path(f"/proc/{it.pid}/mountinfo").read_bytes()
    mounts = Mounts(parse(raw, it.cgroup_id, 0))
    root = next(row for row in parse(raw, it.cgroup_id, 0) if row.is_root)
    null = next(row for row in parse(raw, it.cgroup_id, 0) if row.point == "/dev")
    assert mounts.name(root.device, Layer.IMAGE, "/bin/busybox") == ("/bin/busybox", 0)
    assert mounts.name(null.device, Layer.TMPFS, "/null") == ("/dev/null", 0)
    assert from_bytes(raw).count("\n") == raw.count(b"\n")


def test_a_container_of_containerd_is_identified(containerd: Containerd) -> None:
    runtimes = Runtimes([Root("containerd", str(containerd.state))], fresh_s=0)
    with containerd.ctr_run("") as task:
        decision = runtimes.decide(task.cgroup)
        assert decision.container is not None
        found = decision.container
        assert (found.id, found.name, found.runtime, found.namespace) == (task.name, task.name, "containerd", task.namespace)
        assert Path(found.root, "bin/busybox").exists()
    assert runtimes.find(task.cgroup) is None


def test_a_pods_containers_are_identified_with_their_pod(pods: Pods) -> None:
    runtimes = Runtimes([Root("containerd", str(pods.containerd.state))], fresh_s=0)
    with pods.pod("web") as pod:
        app = pod.container("app", "sleep", "100000")
        found = runtimes.decide(app.cgroup).container
        assert found is not None
        assert found.pod is not None
        assert (found.name, found.pod.name, found.pod.namespace) == ("app", "web", pod.namespace)
        assert runtimes.decide(app.cgroup.rpartition("/")[0]).state is State.HOST, "a pod's folder only holds containers"
