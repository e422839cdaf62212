import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from demo.show import STEPS
from model.policy import parse
from tests.project.tree import ROOT, files

SHOWN = {  # a word of the step → what its lines tell
    "password file": "read.denied",
    "drops a program": "exec.drift",
    "metadata service": "egress.not_allowed",
    "back door": "listen.not_allowed",
    "plants a job": "write.not_allowed",
}


@pytest.fixture(scope="module")
def shown() -> str:
    """What `make demo` prints."""
    wide = {**os.environ, "COLUMNS": "120"}
    done = subprocess.run([sys.executable, "-m", "demo.show"], cwd=ROOT, env=wide, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def below(shown: str, step: str) -> str:
    """The lines of the step with this word."""
    return re.split(r"\n\n", shown.partition(step)[2], maxsplit=1)[0]


@pytest.mark.parametrize(("step", "reason"), SHOWN.items())
def test_each_step_has_its_finding_below_its_words_and_in_the_table(shown: str, step: str, reason: str) -> None:
    assert reason in below(shown, step)
    assert "demo/rules/demo.yaml:" in below(shown, step)
    table = shown.rpartition("findings")[2]
    assert [line for line in table.splitlines() if reason in line] != []


def test_every_step_is_named_in_its_order(shown: str) -> None:
    assert re.findall(r"^\d\. (.+)$", shown, re.MULTILINE) == STEPS


def test_what_repeats_is_told_once_and_counted_to_the_last(shown: str) -> None:
    assert below(shown, "a thousand times: told once").count("/etc/app.conf") == 1
    assert below(shown, "a thousand times more").count("/etc/shadow") == 0
    assert re.search(r"read\.denied +high +/etc/shadow +1001 ", shown)


def test_it_fits_a_screen_and_is_about_its_container_alone(shown: str) -> None:
    lines = shown.splitlines()
    assert len(lines) < 60
    assert [line for line in lines if re.match(r"\d\d:\d\d:", line) and "vedette-demo-" not in line] == []
    assert [line for line in lines if "sleep" in line or "/dev/null" in line] == []


def test_the_demo_leaves_nothing_behind(shown: str) -> None:
    assert shown
    assert "vedette-demo" not in Path("/proc/self/mounts").read_text()
    assert list(Path("/run/runc").glob("vedette-demo-*")) == []


@pytest.mark.parametrize("rules", list(files("demo/rules/*.yaml")), ids=lambda path: path.name)
def test_its_policy_is_one(rules: Path) -> None:
    assert len(parse(rules.read_text(), rules.name)) == 1
