"""Who is in a container, how it came in, and what the container is called, as each runtime has it."""

import subprocess

import pytest

from model.event import Exec, Exit, Layer, Net, Open, Session
from model.record import Record
from model.verdict import Reason
from tests.agent.conftest import MakeNamedBox, a_name
from tests.agent.sight import Container, Sight
from tests.containers.containerd import IMAGE, Containerd
from tests.containers.pods import Pods, Security
from tests.containers.runc import Box

QUIET = "/usr/bin/quiet"
RUNTIME, MAIN, EXEC = Session.RUNTIME, Session.MAIN, Session.EXEC


def executed(agent: Sight, container: Container, path: str = QUIET, session: Session = EXEC) -> Record:
    return agent.sees(container, Exec, path=path, session=session)


def test_the_container_s_own_program_is_main_and_so_is_what_it_starts(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain", args=("sh", "-c", f"{QUIET}; exec sleep 100000"))
    executed(agent, box, "/bin/busybox", MAIN)
    assert executed(agent, box, session=MAIN).origin.lineage == ("/bin/busybox",)  # type: ignore[union-attr]


def test_who_comes_in_later_is_exec_and_so_is_what_it_starts(agent: Sight, plain: Box) -> None:
    plain.exec("sh", "-c", f"{QUIET}; :")
    executed(agent, plain, "/bin/busybox")
    executed(agent, plain)


def test_a_probe_by_exec_is_exec_each_time(agent: Sight, plain: Box) -> None:
    for _ in range(3):
        plain.exec(QUIET)
    agent.settled(plain)
    assert [one.event.actor.session for one in agent.records(plain, Exec, path=QUIET)] == [EXEC] * 3  # type: ignore[union-attr]


def test_the_runtime_s_own_steps_are_recorded_and_never_judged(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("closed", args=("sleep", "100000"))
    box.exec("true")
    agent.settled(box)
    steps = agent.records(box, (Exec, Open, Net), session=RUNTIME)
    assert any(isinstance(one.event, Open) for one in steps)
    assert {one.verdict.reason for one in steps if one.verdict} == {Reason.RUNTIME}
    assert {finding.session for finding in agent.findings(box)} <= {"main", "exec"}


def test_the_runtime_never_opens_anything_in_the_name_of_the_container(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain", args=(QUIET,))
    agent.sees(box, Exit)
    before_the_program = [one for one in agent.records(box, Open) if one.event.actor.session is not RUNTIME]  # type: ignore[union-attr]
    assert before_the_program == []


@pytest.mark.parametrize("how", [("--mount={}/ns/mnt",), ("--mount={}/ns/mnt", "--pid={}/ns/pid", "--net={}/ns/net")])
def test_who_enters_only_the_namespaces_is_in_the_container_too(agent: Sight, plain: Box, how: tuple[str, ...]) -> None:
    options = [option.format(f"/proc/{plain.pid}") for option in how]
    subprocess.run(["nsenter", *options, QUIET], check=True)
    assert executed(agent, plain).event.file.layer is Layer.IMAGE  # type: ignore[union-attr]


def test_a_box_in_the_host_s_namespaces_is_still_a_box(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain", namespaces=("mount",))
    box.exec(QUIET)
    executed(agent, box)


def test_a_container_of_ctr_is_named(agent: Sight, containerd: Containerd) -> None:
    with containerd.ctr_run(a_name("plain"), "sh", "-c", f"{QUIET}; sleep 100000") as task:
        container = executed(agent, task, session=MAIN).origin.container  # type: ignore[union-attr]
        assert (container.id, container.name) == (task.name, task.name)
        assert (container.runtime, container.namespace, container.cgroup) == ("containerd", "vedette-test", task.cgroup_id)
        task.exec("/bin/true")
        executed(agent, task, "/bin/busybox")


def test_a_privileged_container_of_ctr_is_known_as_one(agent: Sight, containerd: Containerd) -> None:
    with containerd.ctr_run(a_name("plain"), QUIET, options=("--privileged",)) as task:
        assert executed(agent, task, session=MAIN).origin.container.privileged  # type: ignore[union-attr]


def test_a_pod_s_container_is_named_by_kubernetes(agent: Sight, pods: Pods) -> None:
    with pods.pod("web-0", "shop") as pod:
        app = pod.container("app", "sh", "-c", f"{QUIET}; sleep 100000")
        container = executed(agent, app, session=MAIN).origin.container  # type: ignore[union-attr]
        assert (container.id, container.name, container.image) == (app.id, "app", IMAGE)
        assert container.pod is not None
        assert (container.pod.name, container.pod.namespace, container.pod.uid) == ("web-0", "shop", pod.uid)
        app.exec("/usr/bin/quiet")
        executed(agent, app)


def test_a_pod_with_the_host_s_namespaces_is_told_from_the_host(agent: Sight, pods: Pods) -> None:
    with pods.pod("agent-0", "tools", Security(privileged=True, host_pid=True, host_network=True)) as pod:
        app = pod.container("tool", "sh", "-c", f"{QUIET}; sleep 100000")
        container = executed(agent, app, session=MAIN).origin.container  # type: ignore[union-attr]
        assert (container.name, container.privileged) == ("tool", True)


def test_containers_outlive_a_restart_of_their_runtime(agent: Sight, containerd: Containerd) -> None:
    with containerd.ctr_run(a_name("plain")) as task:
        containerd.stop()
        containerd.start()
        task.exec(QUIET)
        assert executed(agent, task).origin.container.name == task.name  # type: ignore[union-attr]
