"""Containers that come late, lie about themselves, or are very many."""

import secrets
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from model.event import Exec
from model.origin import Container
from tests.containers import cgroups
from tests.containers.runc import MakeBox
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop
from tests.failures.agents import Agent, metric
from tests.failures.conftest import MakeAgent
from tests.failures.ledger import Ledger, wait

POD = "/kubepods/besteffort/podf1f2f3f4"
WARM, MEASURED, AT_ONCE, FEW = 100, 300, 200, 20
GROWTH_BYTES = MEASURED * (12 << 10)  # measured: 6 KiB each, in tables that are bounded
BUDGETS = 'vedette_map_entries{map="budgets"}'  # some of each container
ENTER = 'echo 0 > "$1/cgroup.procs"; shift; exec "$@"'


def run_in(path: str, *command: str) -> None:
    folder = cgroups.v2_root() / path.lstrip("/")
    subprocess.run(["/bin/sh", "-c", ENTER, "sh", folder, *command], check=True)


@contextmanager
def cgroup(path: str) -> Iterator[str]:
    """A cgroup of no runtime, called as one of theirs."""
    (cgroups.v2_root() / path.lstrip("/")).mkdir(parents=True)
    try:
        yield path
    finally:
        cgroups.remove(path)
        cgroups.remove_if_empty(POD, "/kubepods/besteffort", "/kubepods")


def test_a_cgroup_called_like_a_container_is_unidentified_and_recorded(start_agent: MakeAgent) -> None:
    agent = start_agent()
    with cgroup(f"{POD}/{secrets.token_hex(32)}") as path:
        run_in(path, "unshare", "--mount", "/bin/true")  # with mounts of its own, as what a runtime has handed over
        wait(lambda: len(execs_in(agent, path)) >= 2, "it is recorded")
        (container,) = {found.id: found for found in execs_in(agent, path)}.values()
        assert (container.runtime, container.id, container.name, container.image) == ("unidentified", "", "", "")
        wait(lambda: "identity.unidentified" in {one.reason for one in Ledger(agent.log).findings}, "it is a finding")


def execs_in(agent: Agent, path: str) -> list[Container]:
    """The containers of execs in this cgroup."""
    records = [one for one in Ledger(agent.log).records if isinstance(one.event, Exec)]
    return [one.origin.container for one in records if one.origin and one.origin.container.cgroup_path == path]


def test_a_cgroup_inside_of_a_container_called_like_another_one_belongs_to_the_one_it_is_in(
    start_agent: MakeAgent, box: MakeBox
) -> None:
    agent, one, two = start_agent(), box(Recipe()), box(Recipe())
    with cgroup(f"{one.cgroup}/{two.name}") as path:
        run_in(path, "/bin/true")
        wait(lambda: true_execs(agent, one.name), "it is the outer one's")
    assert agent.end() == 0, agent.said
    assert true_execs(agent, two.name) == []


def true_execs(agent: Agent, name: str) -> list[Exec]:
    return [event for event in Ledger(agent.log, name).events(Exec) if event.file.path.endswith("/true")]


def test_what_runs_before_the_runtimes_record_is_there_is_held_and_told_under_its_name(
    make_agent: MakeAgent, box: MakeBox, folder: Path, workshop: Workshop
) -> None:
    agent = make_agent()
    agent.looks_only_at(f"runc:{folder}")
    agent.start()
    one = box(Recipe())
    one.exec("/usr/bin/quiet")
    shutil.copytree(workshop.runtime_root / one.name, folder / one.name)
    quiet = wait(
        lambda: [record for record in Ledger(agent.log, one.name).records if is_quiet(record.event)], "it is told by its name"
    )
    assert [record.late for record in quiet] == [True]


def is_quiet(event: object) -> bool:
    return isinstance(event, Exec) and event.file.path == "/usr/bin/quiet"


def test_short_containers_that_end_before_they_have_a_name_are_all_seen_and_leave_nothing(start_agent: MakeAgent) -> None:
    agent = start_agent(sensor={"sweep_interval_s": 0.2}, node={"dead_kept_s": 0.2})
    port = wait(agent.port, "its port is told")
    paths = short_ones(agent, WARM)
    before = rss_without(agent, port, paths)
    paths |= short_ones(agent, MEASURED)
    grown = rss_without(agent, port, paths) - before
    assert grown < GROWTH_BYTES, f"{grown / MEASURED / 1024:.1f} KiB a container"
    before_its_end = execs_by_path(agent)
    assert agent.end() == 0, agent.said
    each_once = dict.fromkeys(paths, 1)
    assert [only(paths, seen) for seen in (before_its_end, execs_by_path(agent))] == [each_once, each_once]
    assert Ledger(agent.log).gaps("agent.unjudged") == 0


def rss_without(agent: Agent, port: int, paths: set[str]) -> int:
    """The agent's memory, in bytes, when it holds nothing of these containers any more."""
    wait(lambda: paths.isdisjoint(one["cgroup"] for one in agent.status()["containers"]), "all are forgotten")
    wait(lambda: metric(port, BUDGETS) < FEW, "so they are in the kernel")
    wait(lambda: not agent.status()["held"], "nothing waits for a name")
    return int(psutil.Process(agent.pid).memory_info().rss)


def only(paths: set[str], seen: Counter[str]) -> dict[str, int]:
    return {path: seen[path] for path in paths}


def short_ones(agent: Agent, count: int) -> set[str]:
    """The paths of so many containers one after another, each with one program, when all of those are recorded."""
    paths = {f"{POD}/{secrets.token_hex(32)}" for _ in range(count)}
    for path in paths:
        with cgroup(path):
            run_in(path, "/bin/true")
    wait(lambda: paths <= seen_paths(agent), "each one's program is recorded", 240)
    return paths


def execs_by_path(agent: Agent) -> Counter[str]:
    """How many execs were recorded, by cgroup."""
    records = [record for record in Ledger(agent.log).records if isinstance(record.event, Exec)]
    return Counter(record.origin.container.cgroup_path for record in records if record.origin)


def test_two_hundred_containers_at_once_are_all_seen(start_agent: MakeAgent, box: MakeBox) -> None:
    agent = start_agent()
    paths = [f"{POD}/{secrets.token_hex(32)}" for _ in range(AT_ONCE)]
    boxes = [box(Recipe()) for _ in range(3)]
    for path in paths:
        (cgroups.v2_root() / path.lstrip("/")).mkdir(parents=True)
    try:
        every = [subprocess.Popen(["/bin/sh", "-c", ENTER, "sh", cgroups.v2_root() / path[1:], "/bin/true"]) for path in paths]
        for one in boxes:
            one.exec("/usr/bin/bulk", "open-cold", "2000")
        assert {process.wait() for process in every} == {0}
        wait(lambda: set(paths) <= seen_paths(agent), "each is recorded under its own cgroup")
    finally:
        for path in paths:
            cgroups.remove(path)
        cgroups.remove_if_empty(POD, "/kubepods/besteffort", "/kubepods")
    assert agent.end() == 0, agent.said
    ledgers = [Ledger(agent.log, one.name) for one in boxes]
    assert [ledger.opens_below("/data") for ledger in ledgers] == [2000, 2000, 2000]
    assert [ledger.gaps("ring") + ledger.gaps("budget") for ledger in ledgers] == [0, 0, 0]


def seen_paths(agent: Agent) -> set[str]:
    """Cgroups in which an exec was recorded."""
    return set(execs_by_path(agent))
