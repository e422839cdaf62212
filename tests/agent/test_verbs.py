"""The command line on a running agent and on what it wrote; policies that change while it runs."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.__main__ import app
from agent.account import KERNEL_TABLES, TABLES
from agent.outputs.reading import read
from agent.outputs.stamp import boot_ns
from agent.outputs.workload import subject_of
from agent.version import version
from model.event import Exec, Load, Net, Open
from model.record import Finding, Record
from model.verdict import Outcome
from tests.agent.conftest import RULES, MakeNamedBox, StartAgent
from tests.agent.daemon import Daemon
from tests.agent.sight import PATIENCE_S, Book, Sight
from tests.containers.runc import Box

QUIET = "/usr/bin/quiet"
STRICT = (RULES / "strict.yaml").read_text()
ALLOWS_QUIET = STRICT.replace("/bin/busybox", "/bin/busybox, /usr/bin/quiet")


@pytest.fixture
def strict(a_box: MakeNamedBox) -> Box:
    return a_box("strict")


def test_status_tells_what_is_watched_and_that_all_is_well(agent: Sight, daemon: Daemon, plain: Box) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not any(one["name"] == plain.name for one in daemon.status()["containers"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = daemon.verb("status", "--log", str(daemon.log))
    assert told.returncode == 0, told.stdout + told.stderr
    assert plain.name in told.stdout
    assert "ready" in told.stdout
    assert not [hook for hook in daemon.status()["hooks"] if hook["state"] != "attached"]
    machine = json.loads(daemon.verb("status", "--json", "--log", str(daemon.log)).stdout)
    assert machine["running"]
    assert set(machine["agent"]["tables"]) == {*TABLES, *KERNEL_TABLES}
    assert machine["version"] == machine["agent"]["version"] == version()


def test_status_says_that_no_agent_runs(daemon: Daemon, tmp_path: Path) -> None:
    assert daemon.verb("status", "--log", str(tmp_path)).returncode == 1


def test_check_finds_nothing_wrong_with_these_policies(daemon: Daemon) -> None:
    told = daemon.verb("check", str(RULES))
    assert told.returncode == 0, told.stdout + told.stderr


def test_check_says_where_and_what_is_wrong(daemon: Daemon, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(STRICT.replace("egress:", "egres:"))
    told = daemon.verb("check", str(tmp_path))
    assert told.returncode == 1
    assert "bad.yaml:" in told.stdout
    assert 'did you mean "egress"' in told.stdout


def test_check_says_which_paths_are_something_else_in_a_container_that_runs(
    agent: Sight, daemon: Daemon, plain: Box, tmp_path: Path
) -> None:
    (tmp_path / "p.yaml").write_text(STRICT.replace("/bin/busybox", "/bin/sh, /bin/nonsense").replace("strict-*", "plain-*"))
    deadline = time.monotonic() + PATIENCE_S
    while not any(one["name"] == plain.name for one in daemon.status()["containers"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    told = CliRunner().invoke(app, ["check", str(tmp_path), "--container", plain.name, "--log", str(daemon.log)])
    assert told.exit_code == 0, told.output
    assert f'"/bin/sh" is "/bin/busybox" in container {plain.name}' in told.stdout
    assert f'"/bin/nonsense" is not in container {plain.name}' in told.stdout
    assert '"/usr/bin/dynamic"' not in told.stdout
    bare = daemon.verb("check", str(tmp_path), "--container", plain.name, "--log", str(daemon.log))
    assert (bare.returncode, bare.stdout) == (2, "")
    assert "its files can't be looked at" in bare.stderr


def test_explain_says_which_rules_were_asked(agent: Sight, daemon: Daemon, strict: Box) -> None:
    strict.attack("execve", QUIET)
    for entry in (agent.sees(strict, Exec, path=QUIET), agent.finding(strict, "exec.not_allowed")):
        told = daemon.verb("explain", entry.id, "--log", str(daemon.log), "--policies", str(RULES))
        assert told.returncode == 0, told.stderr
        assert QUIET in told.stdout
        assert "/usr/bin/dynamic" in told.stdout
        assert "strict.yaml:" in told.stdout


def test_explain_knows_no_such_record(daemon: Daemon) -> None:
    assert daemon.verb("explain", "a/b/activity/1", "--log", str(daemon.log)).returncode == 1


def policies_of(own: Daemon) -> Iterator[int]:
    """Generations that were put in force."""
    return (note.says["generation"] for note in own.notes("policies") if "generation" in note.says)


def wait_for_policies(own: Daemon, says: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while sum(says in note.says for note in own.notes("policies")) < count:
        assert time.monotonic() < deadline, own.notes("policies")
        time.sleep(0.05)


def test_a_changed_policy_counts_at_once_also_for_what_is_known(agent_of_its_own: StartAgent, a_box: MakeNamedBox) -> None:
    own = agent_of_its_own({"strict.yaml": ALLOWS_QUIET.replace("/etc/secret, ", "")})
    agent, box = Sight(Book(own.log), boot_ns()), a_box("strict")
    box.attack("execve", QUIET)
    box.attack("open", "/etc/secret")
    agent.sees(box, Exec, path=QUIET, outcome=Outcome.ALLOWED)
    agent.sees(box, Open, path="/etc/secret", outcome=Outcome.ALLOWED)
    (own.rules / "strict.yaml").write_text(STRICT)
    wait_for_policies(own, "generation", 2)
    box.attack("execve", QUIET)
    box.attack("open", "/etc/secret")
    agent.finding(box, "exec.not_allowed", subject=QUIET)
    agent.finding(box, "read.denied", subject="/etc/secret")


def test_a_bad_policy_file_keeps_those_in_force_and_is_told(agent_of_its_own: StartAgent, a_box: MakeNamedBox) -> None:
    own = agent_of_its_own({"strict.yaml": STRICT})
    agent, box = Sight(Book(own.log), boot_ns()), a_box("strict")
    (own.rules / "strict.yaml").write_text("kind: [")
    wait_for_policies(own, "errors", 1)
    box.attack("execve", QUIET)
    agent.finding(box, "exec.not_allowed")
    deadline = time.monotonic() + PATIENCE_S
    while "strict.yaml:2:1: not YAML" not in own.verb("status", "--log", str(own.log)).stdout:
        assert time.monotonic() < deadline, own.status()
    assert list(policies_of(own)) == [1]


def verdicts(folder: Path, container: str) -> Counter[tuple[str, str, str]]:
    """What was judged of a container: kind, path or address, reason."""
    records = (entry for entry in read(folder, "activity") if isinstance(entry, Record))
    return Counter(
        (type(one.event).__name__, subject_of(one.event), one.verdict.reason.value)
        for one in records
        if isinstance(one.event, Exec | Open | Load | Net) and one.verdict and one.origin and one.origin.container.id == container
    )


def reasons(folder: Path, container: str) -> set[tuple[str, str]]:
    findings = (entry for entry in read(folder, "evidence") if isinstance(entry, Finding))
    return {(one.reason, one.subject) for one in findings if one.container == container}


def test_a_replay_without_rights_gives_the_same_verdicts(
    agent_of_its_own: StartAgent, a_box: MakeNamedBox, tmp_path: Path
) -> None:
    recording = tmp_path / "recording"
    own = agent_of_its_own({"strict.yaml": STRICT}, "--record", str(recording))
    agent, box = Sight(Book(own.log), boot_ns()), a_box("strict")
    box.attack("execve", QUIET)
    box.attack("exec-memfd", QUIET)
    box.attack("open", "/etc/secret")
    box.attack("preload", "/usr/lib/plugin.so", "/tmp/b.so")
    box.exec("/usr/bin/attack", "udp-sendto", "192.0.2.1", "53")
    agent.settled(box)
    assert own.end() == 0
    again = tmp_path / "again"
    told = own.verb("replay", str(recording), "--policies", str(own.rules), "--log", str(again), "--output", "none")
    assert told.returncode == 0, told.stderr
    live = verdicts(own.log, box.name)
    assert live["Exec", QUIET, "exec.not_allowed"] == 1
    assert verdicts(again, box.name) == live
    assert reasons(again, box.name) == reasons(own.log, box.name)


def test_a_replay_under_other_policies_says_what_they_would_have_said(
    agent_of_its_own: StartAgent, a_box: MakeNamedBox, tmp_path: Path
) -> None:
    recording, wiser, again = tmp_path / "recording", tmp_path / "rules", tmp_path / "again"
    own = agent_of_its_own({"strict.yaml": STRICT}, "--record", str(recording))
    agent, box = Sight(Book(own.log), boot_ns()), a_box("strict")
    box.attack("execve", QUIET)
    agent.finding(box, "exec.not_allowed")
    own.end()
    wiser.mkdir()
    (wiser / "strict.yaml").write_text(ALLOWS_QUIET)
    assert own.verb("replay", str(recording), "--policies", str(wiser), "--log", str(again), "--output", "none").returncode == 0
    assert verdicts(again, box.name)["Exec", QUIET, "allowed"] == 1
    assert reasons(again, box.name) == set()
