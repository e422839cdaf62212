import subprocess
import sys
from pathlib import Path

import pytest

from model.policy import parse
from tests.project.tree import ROOT, files

SHOWN = ["exec.", "read.denied", "write.not_allowed", "egress.not_allowed", "listen.not_allowed"]


@pytest.fixture(scope="module")
def shown() -> str:
    """What `make demo` prints."""
    done = subprocess.run([sys.executable, "-m", "demo.show"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("reason", SHOWN)
def test_the_demo_shows_a_finding_for_each_thing_that_the_container_does(shown: str, reason: str) -> None:
    table = shown.rpartition("findings")[2]
    assert [line for line in table.splitlines() if reason in line] != []


def test_the_demo_leaves_nothing_behind(shown: str) -> None:
    assert shown
    assert "vedette-demo" not in Path("/proc/self/mounts").read_text()
    assert list(Path("/run/runc").glob("vedette-demo-*")) == []


@pytest.mark.parametrize("rules", list(files("demo/rules/*.yaml")), ids=lambda path: path.name)
def test_its_policy_is_one(rules: Path) -> None:
    assert len(parse(rules.read_text(), rules.name)) == 1
