"""What is known is counted by the kernel and not told again; every count is exact, also of what was not itemised."""

import socket
import time
from collections.abc import Callable
from pathlib import Path

from agent.novelty import FIRST
from agent.outputs.stamp import boot_ns
from model.event import Access, Change, Direction, Event, Exec, Exit, FlowCount, Gap, Many, Net, Open
from model.record import Record
from tests.agent.conftest import MakeNamedBox, StartAgent
from tests.agent.daemon import Daemon
from tests.agent.sight import PATIENCE_S, Book, Sight
from tests.containers.runc import Box
from tests.containers.spec import Mount

HOT = "/data/d00/f0000"
OPENS, CHANGES = 3, 5  # kinds as counts have them
TRIPWIRE = """
apiVersion: vedette.dev/v1alpha1
kind: Policy
metadata: {name: tripwire}
spec:
  select: {containers: {names: ["plain-*"]}}
  read: {deny: [/etc/secret, /opt/keys/**, "/srv/*/.ssh/id_*", "/**/token"]}
  egress: {deny: [10.1.2.0/24, "unix:/**/engine.sock", "unix:@/shim/**"]}
"""
DENIED_FILES = ("/etc/secret", "/opt/keys/a/k", "/srv/x/.ssh/id_1", "/srv/y/z/token")
DENIED_PEERS = ("10.1.2.3:9/udp", "/mnt/engine.sock", "/nowhere/engine.sock", "@/shim/1/s.sock")
SMALL = {"flows": 64, "rate": 20, "burst": 64}


def counts(agent: Sight, box: Box, flow: bytes | None = None) -> dict[bytes, FlowCount]:
    """The last count of each flow, or of one."""
    events = [one.event for one in agent.records(box, FlowCount)]
    return {event.flow: event for event in events if isinstance(event, FlowCount) and flow in (None, event.flow)}


def until(agent: Sight, box: Box, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"{[(c.what, c.count) for c in counts(agent, box).values()]}\n{agent.told(box)}"
        time.sleep(0.05)


def flow_of(record: Record) -> bytes:
    flow: bytes = record.event.flow  # type: ignore[union-attr]
    return flow


def test_a_thousand_opens_of_a_file_are_one_record_and_a_count(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    for times in (1000, 500):
        box.exec("/usr/bin/bulk", "open-hot", str(times))
    first = agent.sees(box, Open, path=HOT)
    until(agent, box, lambda: sum(c.count for c in counts(agent, box, flow_of(first)).values()) == 1500)
    assert len(agent.records(box, Open, path=HOT)) == 1
    added = [one.event.added for one in agent.records(box, FlowCount, flow=flow_of(first))]  # type: ignore[union-attr]
    assert sum(added) == 1500


def test_a_count_names_the_last_process_that_did_it(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    for _ in range(2):
        box.exec("/usr/bin/bulk", "open-hot", "10")
    first = agent.sees(box, Open, path=HOT)
    until(agent, box, lambda: sum(c.count for c in counts(agent, box, flow_of(first)).values()) == 20)
    pids = [one.event.actor.pid for one in agent.records(box, Exec, path="/usr/bin/bulk")]  # type: ignore[union-attr]
    assert counts(agent, box)[flow_of(first)].last_pid == pids[-1]


def test_connections_to_a_known_peer_are_counted(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    told = box.exec("/usr/bin/bulk", "connect", "300").facts[0]
    assert told["failed"] == 0
    first = agent.sees(box, Net, direction=Direction.EGRESS)
    until(agent, box, lambda: sum(c.count for c in counts(agent, box, flow_of(first)).values()) == 300)
    assert len(agent.records(box, Net, direction=Direction.EGRESS)) == 1


def test_another_program_or_user_is_another_flow(agent: Sight, plain: Box) -> None:
    plain.exec("cat", HOT)
    plain.attack("open", HOT)
    plain.attack("open", HOT, user=1000)
    agent.settled(plain)
    assert len(agent.records(plain, Open, path=HOT)) == 3


def test_every_exec_and_exit_is_a_record(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    box.exec("/usr/bin/bulk", "exec", "500")
    agent.settled(box)
    execs = agent.records(box, Exec, path="/usr/bin/quiet")
    exits = agent.records(box, Exit, program="/usr/bin/quiet")
    assert (len(execs), len(exits)) == (500, 500)


def test_of_many_temporary_files_the_first_are_named_and_all_are_counted(agent: Sight, a_box: MakeNamedBox) -> None:
    box, more = a_box("plain"), 3000
    box.exec("/usr/bin/bulk", "temp", str(FIRST), "/opt")
    agent.settled(box)  # the agent has seen that many, so from now on the kernel answers for the folder

    def named(kind: type[Event]) -> int:
        return len(agent.records(box, kind, path=lambda path: path.startswith("/opt/tmp-")))

    def counted(what: int) -> int:
        return sum(c.count for c in counts(agent, box).values() if c.what == what and c.text == "/opt")

    assert (named(Open), named(Change)) == (FIRST, FIRST)
    box.exec("/usr/bin/bulk", "temp", str(more), "/opt")
    until(agent, box, lambda: (counted(OPENS), counted(CHANGES)) == (more, more))
    agent.settled(box)
    assert (named(Open), named(Change)) == (FIRST, FIRST)


def test_when_a_container_ends_its_last_counts_are_told(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("plain")
    box.exec("/usr/bin/bulk", "open-hot", "700")
    first = agent.sees(box, Open, path=HOT)
    box.remove()
    last = agent.sees(box, FlowCount, flow=flow_of(first), final=True).event
    assert isinstance(last, FlowCount)
    assert last.count == 700


def itemised_and_by_folder(agent: Sight, box: Box) -> int:
    seen = agent.records(box, (Open, Many), path=lambda path: path.startswith("/data"))
    known = counts(agent, box)
    return sum(known[flow].count for flow in {flow_of(one) for one in seen} if flow in known)


def test_what_is_done_all_the_time_is_told_ever_less_often(agent_of_its_own: StartAgent, a_box: MakeNamedBox) -> None:
    own = agent_of_its_own(sensor={"sweep_interval_s": 0.2, "all_counts_s": 3600})
    agent, box, told = Sight(Book(own.log), boot_ns()), a_box("plain"), [10]
    box.exec("/usr/bin/bulk", "open-hot", "10")
    first = agent.sees(box, Open, path=HOT)
    until(agent, box, lambda: counted(agent, box, first) == told)
    for more, then in ((5, []), (5, [20]), (19, []), (1, [40])):
        box.exec("/usr/bin/bulk", "open-hot", str(more))
        told += then
        swept(own)
        assert counted(agent, box, first) == told
    box.exec("/usr/bin/bulk", "open-hot", "3")
    own.end()
    assert counted(agent, box, first) == [*told, 43]


def counted(agent: Sight, box: Box, first: Record) -> list[int]:
    """What was told of the flow's count so far."""
    return [one.event.count for one in agent.records(box, FlowCount, flow=flow_of(first))]  # type: ignore[union-attr]


def swept(agent: Daemon) -> None:
    """Two sweeps have passed since the call."""
    for _ in range(2):
        since = agent.status()["time"]
        while agent.status()["time"] == since:
            time.sleep(0.02)


def test_what_is_denied_is_found_though_the_container_floods(
    agent_of_its_own: StartAgent, a_box: MakeNamedBox, tmp_path: Path
) -> None:
    own = agent_of_its_own({"tripwire.yaml": TRIPWIRE}, budgets={"open": SMALL, "net": SMALL, "unix": SMALL})
    agent = Sight(Book(own.log), boot_ns())
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(tmp_path / "engine.sock"))
        engine.listen()
        box = a_box("plain", mounts=(Mount(str(tmp_path), "/mnt"),))
        box.exec("sh", "-c", "mkdir -p /opt/keys/a /srv/x/.ssh /srv/y/z; touch /opt/keys/a/k /srv/x/.ssh/id_1 /srv/y/z/token")
        assert box.exec("/usr/bin/bulk", "open-cold", "6000").facts[0]["failed"] == 0
        box.exec("sh", "-c", "for i in $(seq 500); do /usr/bin/attack unix-abstract flood$i; done")
        for path in DENIED_FILES:
            box.attack("open", path)
        box.exec("/usr/bin/attack", "udp-sendto", "10.1.2.3", "9")  # it can't be reached, but was tried
        box.attack("unix-connect", "/mnt/engine.sock")
        box.exec("/usr/bin/attack", "unix-connect", "/nowhere/engine.sock")  # there is none, but it was tried
        box.attack("unix-abstract", "/shim/1/s.sock")
    for path in DENIED_FILES:
        agent.finding(box, "read.denied", subject=path)
    for subject in DENIED_PEERS:
        agent.finding(box, "egress.denied", subject=subject)
    assert agent.finding(box, "flood").count > 0
    until(agent, box, lambda: itemised_and_by_folder(agent, box) >= 6000)


def test_a_killed_agent_says_that_it_was_gone_and_sees_what_runs(agent_of_its_own: StartAgent, a_box: MakeNamedBox) -> None:
    own = agent_of_its_own()
    box = a_box("plain", args=("/usr/bin/attack", "serve", "127.0.0.1", "8080", "0"))
    agent = Sight(Book(own.log), boot_ns())
    own.kill()
    box.exec("/usr/bin/quiet")
    own.start()
    agent.sees(box, Exec, path="/usr/bin/attack", standing=True)
    agent.sees(box, Net, direction=Direction.LISTEN, port=8080, standing=True)
    box.attack("open", HOT)
    assert agent.sees(box, Open, path=HOT).origin.container.name == box.name  # type: ignore[union-attr]
    gap = agent.sees(0, Gap, place="agent.down").event
    assert isinstance(gap, Gap)
    assert gap.count == -1
    assert agent.records(box, Exec, path="/usr/bin/quiet") == []


def test_a_restarted_agent_goes_on_in_the_same_log(agent_of_its_own: StartAgent, a_box: MakeNamedBox) -> None:
    own = agent_of_its_own()
    box = a_box("plain")
    agent = Sight(Book(own.log), boot_ns())
    box.attack("open", HOT)
    first = agent.sees(box, Open, path=HOT, access=Access.READ)
    assert own.end() == 0
    own.start()
    box.attack("open", HOT)
    agent.settled(box)
    ids = [one.id for one in agent.records(box, Open, path=HOT)]
    assert ids[0] == first.id
    assert len(ids) == len(set(ids)) == 2
