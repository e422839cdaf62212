"""kill -9 at any moment: the log stays readable, the next agent goes on from it and says how long nobody watched."""

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from agent.outputs.spool import files_of
from agent.outputs.stamp import ACTIVITY, EVIDENCE, boot_ns
from model.event import Exec, Gap
from tests.containers.runc import MakeBox
from tests.containers.spec import Recipe
from tests.failures.agents import Agent
from tests.failures.ledger import Ledger, wait

StartAgent = Callable[..., Agent]
SEED = 20
KILLS = 2
WORK = ("sh", "-c", "while :; do bulk exec 50; bulk open-cold 500; done")


def test_killed_at_any_moment_the_next_agent_goes_on(start_agent: StartAgent, box: MakeBox) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments, no secrets
    agent, one = start_agent(), box(Recipe(args=WORK))
    for killed in range(1, KILLS + 1):
        wait(lambda: Ledger(agent.log, one.name).itemised("exec") > 100 * killed, "the work is recorded")  # noqa: B023
        time.sleep(chance.uniform(0, 0.2))
        held = kernel_objects(agent.pid)
        assert still_there(held) == held
        agent.kill()
        died_ns = boot_ns()
        wait(lambda: not still_there(held), "nothing of it is left in the kernel")  # noqa: B023
        agent.start()
        assert Ledger(agent.log).damaged == []
        *_, down = found = downs(agent.log)
        assert len(found) == killed
        assert (down.container, down.what, down.count) == (0, "", -1)
        assert down.began_ns <= died_ns < down.time_ns
        standing = wait(lambda: standing_execs(agent.log, one.pid), "what runs is taken up")
        assert len(standing) == killed
    for log in (EVIDENCE, ACTIVITY):
        indexes = indexes_of(agent.log, log)
        assert indexes == sorted(set(indexes))


def test_after_a_clean_end_the_gap_begins_there_and_a_torn_line_is_cut_and_told(start_agent: StartAgent) -> None:
    agent = start_agent()
    assert downs(agent.log) == []
    assert agent.end() == 0, agent.said
    (stop,) = agent.notes("stop")
    with files_of(agent.log, ACTIVITY)[-1].path.open("ab") as file:
        file.write(b'{"id":"half of a rec')
    agent.start()
    told = wait(lambda: [gap for gap in Ledger(agent.log).events(Gap) if gap.place == "log.activity"], "the torn line is told")
    assert [(gap.what, gap.count) for gap in told] == [("torn", 1)]
    assert Ledger(agent.log).damaged == []
    (down,) = downs(agent.log)
    assert down.began_ns == stop.time_ns


def downs(log: Path) -> list[Gap]:
    """What the log says of the times in which nobody watched."""
    return [gap for gap in Ledger(log).events(Gap) if gap.place == "agent.down"]


def standing_execs(log: Path, pid: int) -> list[Exec]:
    return [event for event in Ledger(log).events(Exec, standing=True) if event.actor.pid == pid]


def indexes_of(log: Path, name: str) -> list[int]:
    """Of all records of a log, in the order of the file."""
    ids = [getattr(entry, "id", "") for entry in Ledger(log).entries]
    return [int(one.rpartition("/")[2]) for one in ids if f"/{name}/" in one]


def kernel_objects(pid: int) -> set[str]:
    """Programs, maps and links that a process holds, by the kernel's ids: "prog 12"."""
    return {
        f"{name.removesuffix('_id:')} {number}"
        for info in Path(f"/proc/{pid}/fdinfo").iterdir()
        for name, _, number in (line.partition("\t") for line in info.read_text().splitlines())
        if name in ("prog_id:", "map_id:", "link_id:")
    }


def still_there(objects: set[str]) -> set[str]:
    """Those that the kernel still has, as bpftool shows."""
    shown = {
        f"{kind} {line.partition(':')[0]}"
        for kind in ("prog", "map", "link")
        for line in subprocess.run(["bpftool", kind, "show"], capture_output=True, text=True, check=True).stdout.splitlines()
    }
    return objects & shown
