"""What a policy says becomes a verdict on every record, and a finding where it alerts."""

from pathlib import Path

import pytest

from agent.outputs.stamp import boot_ns
from model.event import Change, Exec, FlowCount, Load, Net, Open, Unix
from model.verdict import Mode, Outcome
from tests.agent.conftest import MakeNamedBox, StartAgent
from tests.agent.sight import Book, Kind, Sight
from tests.containers.runc import Box
from tests.containers.spec import Mount

RULES = Path(__file__).parent / "rules/strict.yaml"
QUIET, PLUGIN = "/usr/bin/quiet", "/usr/lib/plugin.so"
ALLOWED, VIOLATION = Outcome.ALLOWED, Outcome.VIOLATION
# What is done in a container of the policy strict, the reason, and what the finding is about.
VIOLATIONS = {
    "a program that is not listed": (f"execve {QUIET}", Exec, "exec.not_allowed", QUIET),
    "a program that was dropped": (f"exec-dropped {QUIET} /tmp/dropped", Exec, "exec.drift", "/tmp/dropped"),
    "an allowed program's copy": ("exec-dropped /usr/bin/dynamic /tmp/copy", Exec, "exec.drift", "/tmp/copy"),
    "a program without a file": (f"exec-memfd {QUIET}", Exec, "exec.fileless", "/memfd:program"),
    "a program whose file is gone": (f"exec-deleted {QUIET}", Exec, "exec.fileless", "/tmp/deleted"),
    "a program on a volume": (f"exec-dropped {QUIET} /dev/shm/dropped", Exec, "exec.volume", "/dev/shm/dropped"),
    "a script that is not listed": ("execve /usr/bin/script", Exec, "exec.not_allowed", "/usr/bin/script"),
    "a library that was dropped": (f"map-dropped {PLUGIN} /tmp/a.so", Load, "load.drift", "/tmp/a.so"),
    "a preloaded library": (f"preload {PLUGIN} /tmp/b.so", Load, "load.drift", "/tmp/b.so"),
    "a secret that is read": ("open-int80 /etc/secret", Open, "read.denied", "/etc/secret"),
    "a file that is written": ("open /etc/passwd w", Open, "write.not_allowed", "/etc/passwd"),
    "a file that is emptied by an open for reading": ("open /etc/benign empty", Open, "write.not_allowed", "/etc/benign"),
    "a mode that is changed": ("chmod /etc/group 04755", Change, "write.not_allowed", "/etc/group"),
    "a file that is moved out": ("rename /tmp/given /opt/taken", Change, "write.not_allowed", "/tmp/given -> /opt/taken"),
    "a peer that is not listed": ("udp-sendto 192.0.2.1 53", Net, "egress.not_allowed", "192.0.2.1:53/udp"),
    "a port that is not listed": ("listen 127.0.0.1 81", Net, "listen.not_allowed", "127.0.0.1:81/tcp"),
    "a socket that is not listed": ("unix-stream /tmp/other.sock", Unix, "egress.not_allowed", "/tmp/other.sock"),
}
DONE_RIGHT = (
    ("execve /usr/bin/dynamic", Exec, "/usr/bin/dynamic"),
    ("open /tmp/mine create", Open, "/tmp/mine"),
    ("open /etc/benign", Open, "/etc/benign"),
    ("unix-stream /tmp/app.sock", Unix, "/tmp/app.sock"),
)


@pytest.fixture
def strict(a_box: MakeNamedBox) -> Box:
    return a_box("strict")


@pytest.mark.parametrize(("command", "kind", "reason", "subject"), VIOLATIONS.values(), ids=list(VIOLATIONS))
def test_what_is_not_allowed_is_a_finding(agent: Sight, strict: Box, command: str, kind: Kind, reason: str, subject: str) -> None:
    strict.exec("touch", "/tmp/given")
    strict.exec("/usr/bin/attack", *command.split())  # may fail: it was tried
    agent.sees(strict, kind, outcome=VIOLATION, reason=reason)
    found = agent.finding(strict, reason, subject=subject)
    assert (found.policy, found.mode, found.session, found.container) == ("strict", "alert", "exec", strict.name)


@pytest.mark.parametrize(("command", "kind", "path"), DONE_RIGHT)
def test_what_is_allowed_is_none(agent: Sight, strict: Box, command: str, kind: Kind, path: str) -> None:
    strict.attack(*command.split())
    agent.sees(strict, kind, path=path, outcome=ALLOWED)
    agent.settled(strict)
    assert agent.findings(strict) == []


def test_of_networks_the_listed_ones_are_allowed(agent: Sight, strict: Box) -> None:
    for address, outcome in (("10.1.2.3", ALLOWED), ("10.2.0.1", VIOLATION), ("127.0.0.1", ALLOWED)):
        strict.exec("/usr/bin/attack", "udp-sendto", address, "9")
        agent.sees(strict, Net, address=address, outcome=outcome)


def test_a_volume_s_program_is_told_from_the_image_s_at_the_same_path(
    agent: Sight, a_box: MakeNamedBox, tmp_path: Path, image: Path
) -> None:
    (tmp_path / "dynamic").write_bytes((image / "usr/bin/quiet").read_bytes())
    (tmp_path / "dynamic").chmod(0o755)
    box = a_box("strict", mounts=(Mount(str(tmp_path / "dynamic"), "/usr/bin/dynamic"),))
    box.attack("execve", "/usr/bin/dynamic")
    agent.sees(box, Exec, path="/usr/bin/dynamic", reason="exec.volume")


def test_while_learning_the_same_is_recorded_and_nobody_is_alerted(agent: Sight, a_box: MakeNamedBox) -> None:
    box = a_box("learning")
    box.attack("execve", QUIET)
    box.attack("open", "/etc/secret")
    record = agent.sees(box, Exec, path=QUIET, outcome=VIOLATION, reason="exec.not_allowed")
    assert record.verdict is not None
    assert record.verdict.mode is Mode.LEARN
    agent.sees(box, Open, path="/etc/secret", reason="read.denied")
    agent.settled(box)
    assert agent.findings(box) == []


def test_a_container_that_nobody_selects_is_recorded_and_not_judged(agent: Sight, plain: Box) -> None:
    plain.attack("execve", QUIET)
    agent.sees(plain, Exec, path=QUIET, outcome=Outcome.UNJUDGED)
    agent.settled(plain)
    assert agent.findings(plain) == []


def test_the_same_violation_again_is_counted_and_not_told_again(agent: Sight, strict: Box) -> None:
    for _ in range(5):
        strict.attack("execve", QUIET)
        strict.attack("open", "/etc/secret")
    agent.settled(strict)
    agent.sees(strict, FlowCount, count=lambda count: count == 5)
    assert [finding.reason for finding in agent.findings(strict)].count("exec.not_allowed") == 1
    assert [finding.reason for finding in agent.findings(strict)].count("read.denied") == 1


def test_a_finding_s_last_count_is_exact(agent_of_its_own: StartAgent, a_box: MakeNamedBox) -> None:
    own = agent_of_its_own({"strict.yaml": RULES.read_text()})
    agent = Sight(Book(own.log), boot_ns())
    box = a_box("strict")
    for _ in range(3):
        box.attack("execve", QUIET)
        box.exec("cat", "/etc/secret")
    agent.settled(box)
    assert own.end() == 0
    counts = {(one.reason, one.count) for one in agent.findings(box)}
    assert counts >= {("exec.not_allowed", 1), ("exec.not_allowed", 3), ("read.denied", 1), ("read.denied", 3)}
