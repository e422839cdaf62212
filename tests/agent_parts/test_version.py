"""`vedette --version`. In an installed wheel: tests/project/test_wheel.py."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from agent.version import version
from tests.project.tree import ROOT


def test_in_a_clone_it_is_the_project_s() -> None:
    said = subprocess.run([sys.executable, "-m", "agent", "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (said.stdout, said.stderr) == (f"vedette {project['version']}\n", "")


@pytest.mark.parametrize("text", ["", "[project]\nname = 'other'\nversion = '9'\n", "[[["])
def test_somebody_else_s_project_beside_it_is_not_asked(text: str, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    assert version(tmp_path / "pyproject.toml") == version(tmp_path / "none") != "9"
