"""The policies that come with Vedette do what they say."""

from pathlib import Path

import pytest

from model.event import Event, Layer
from model.judge import compile  # noqa: A004 - that's what it does
from model.lint import lint
from model.policy import Policy, parse
from model.verdict import Mode, Outcome, Reason
from tests.model.builders import connect, container, exec_, listen, open_, unix, write

RULES = Path(__file__).parents[2] / "rules"
FILES = sorted(path for path in RULES.rglob("*.yaml") if not path.name.endswith(".test.yaml"))


def shipped(name: str) -> tuple[Policy, ...]:
    return parse((RULES / name).read_text(), name)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_parses_without_a_warning(path: Path) -> None:
    text = path.read_text()
    policies = parse(text, path.name)
    assert policies
    assert [str(problem) for problem in lint(policies, {path.name: text})] == []


def test_every_file_is_named_in_the_readme() -> None:
    readme = (RULES / "README.md").read_text()
    assert [path.name for path in FILES if path.relative_to(RULES).as_posix() not in readme] == []


def test_observe_marks_drift_and_never_alerts() -> None:
    judge = compile(shipped("observe.yaml"), container(), 1)
    dropped = judge.judge(exec_("/tmp/x", Layer.WRITABLE))
    assert dropped is not None
    assert (dropped.reason, dropped.mode) == (Reason.EXEC_DRIFT, Mode.LEARN)
    ordinary = judge.judge(exec_("/bin/ls"))
    assert ordinary is not None
    assert ordinary.outcome is Outcome.ALLOWED


SENSITIVE: list[tuple[Event, Outcome]] = [
    (open_("/etc/shadow"), Outcome.VIOLATION),
    (open_("/run/secrets/kubernetes.io/serviceaccount/..2026_11_22/token", Layer.TMPFS), Outcome.VIOLATION),
    (open_("/run/secrets/kubernetes.io/serviceaccount/..2026_11_22/ca.crt", Layer.TMPFS), Outcome.ALLOWED),
    (open_("/proc/77/environ", Layer.PROC_OTHER), Outcome.VIOLATION),
    (open_("/proc/77/environ", Layer.PROC_SELF), Outcome.ALLOWED),
    (open_("/proc/77/status", Layer.PROC_OTHER), Outcome.ALLOWED),
    (open_("/host/etc/kubernetes/pki/ca.key", Layer.VOLUME), Outcome.VIOLATION),
    (write("/sys/fs/cgroup/rdma/x/release_agent", Layer.VOLUME), Outcome.VIOLATION),
    (write("/etc/ld.so.preload"), Outcome.VIOLATION),
    (connect("169.254.169.254", 80), Outcome.VIOLATION),
    (connect("fd00:ec2::254", 80), Outcome.VIOLATION),
    (connect("169.254.169.253", 80), Outcome.ALLOWED),
    (unix("/run/docker.sock", layer=Layer.VOLUME), Outcome.VIOLATION),
    (unix("/host/run/containerd/containerd.sock", layer=Layer.VOLUME), Outcome.VIOLATION),
    (unix(abstract="/containerd-shim/k8s.io/0/shim.sock"), Outcome.VIOLATION),
    (unix("/run/app.sock"), Outcome.ALLOWED),
]


@pytest.mark.parametrize(("event", "outcome"), SENSITIVE)
def test_sensitive_denies_what_hardly_any_container_should_touch(event: Event, outcome: Outcome) -> None:
    verdict = compile(shipped("sensitive.yaml"), container(), 1).judge(event)
    assert verdict is not None
    assert verdict.outcome is outcome


def test_nginx_does_its_work_and_nothing_else() -> None:
    judge = compile(shipped("examples/nginx.yaml"), container("x", "docker.io/library/nginx:1.27"), 1)
    good: list[Event] = [exec_("/usr/sbin/nginx"), write("/var/cache/nginx/a/b"), listen(80), connect("10.2.3.4", 8080)]
    bad: list[Event] = [exec_("/tmp/miner", Layer.TMPFS), write("/etc/passwd"), listen(4444), connect("203.0.113.9")]
    assert [verdict.outcome for event in good if (verdict := judge.judge(event))] == [Outcome.ALLOWED] * 4
    assert [verdict.outcome for event in bad if (verdict := judge.judge(event))] == [Outcome.VIOLATION] * 4
