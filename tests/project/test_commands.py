import re
import subprocess
from pathlib import Path

import pytest

from tests.project.tree import ROOT, files

PROMISED = ["run", "demo", "test", "lint", "bench", "fuzz", "object", "wheel", "docs", "lock", "clean"]


def test_make_alone_lists_the_commands() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"^make (\w+)", done.stdout, re.MULTILINE) == ["help", *PROMISED]


@pytest.mark.parametrize("script", [str(path.relative_to(ROOT)) for path in files(".ci/*")])
def test_the_script_is_bash_strict_and_can_be_run(script: str) -> None:
    text = (ROOT / script).read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", script], cwd=ROOT, check=True)


def test_need_says_nothing_where_all_is_there() -> None:
    done = subprocess.run([ROOT / ".ci/need", "no-such-package/bash"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


def test_need_names_what_this_machine_can_not_have(tmp_path: Path) -> None:
    fake = tmp_path / "bin"
    fake.mkdir()
    for tool in ("apt-get", "apt-cache"):
        (fake / tool).write_text("#!/bin/sh\nexit 0\n")
        (fake / tool).chmod(0o755)
    done = need("no-such-package/nor-this", path=f"{fake}:/usr/bin:/bin")
    assert done.returncode == 1
    assert "error: this distribution has no package no-such-package/nor-this" in done.stderr


def test_an_old_python_is_refused_with_a_hint(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci/python"], env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "no Python 3.11 or newer found" in done.stderr
    assert "hint: apt-get install python3" in done.stderr


def test_continuous_integration_calls_the_readme_s_test_command() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def need(package: str, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / ".ci/need", package], env={"PATH": path}, capture_output=True, text=True, check=False)
