import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project.tree import ROOT, files, modules


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    return next(folder.glob("vedette-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel and what the lock says, nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    pip(python, "install", "--require-hashes", "-r", str(ROOT / "requirements.lock"))
    pip(python, "install", "--no-deps", "--no-index", str(wheel))
    return folder / "bin"


def test_one_wheel_serves_every_machine(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")


def test_the_wheel_holds_the_programs_and_every_module_and_rule(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for folder in ("agent", "model") for path in files(f"{folder}/*.py")}
    rules = {f"agent/{path.relative_to(ROOT)}" for path in files("rules/*")}
    objects = {f"agent/sensor/bpf/sensor.{machine}.o" for machine in ("x86_64", "aarch64")}
    assert (modules | rules | objects) - inside == set()


def test_the_wheel_holds_nothing_else_of_ours(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"agent", "model"}


def test_the_command_runs_in_an_empty_environment(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run([installed / "vedette", "--help"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    assert "run" in done.stdout
    assert done.stderr == ""


def test_the_installed_command_says_the_wheel_s_version(wheel: Path, installed: Path, tmp_path: Path) -> None:
    done = subprocess.run([installed / "vedette", "--version"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    assert done.stdout == f"vedette {wheel.name.split('-')[1]}\n"


def test_our_top_level_names_belong_to_our_distribution_only(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import packages_distributions as of; print({n: of()[n] for n in ('agent', 'model')})"
    assert output(installed, code, tmp_path) == "{'agent': ['vedette'], 'model': ['vedette']}"


def test_every_module_can_be_imported_in_an_empty_environment(installed: Path, tmp_path: Path) -> None:
    names = modules("agent", "model")
    assert output(installed, f"import importlib\nfor n in {names}: importlib.import_module(n)\nprint('all')", tmp_path) == "all"


def pip(python: str, *words: str) -> None:
    done = subprocess.run([python, "-m", "pip", "--quiet", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def output(installed: Path, code: str, cwd: Path) -> str:
    done = subprocess.run([installed / "python", "-c", code], cwd=cwd, env={}, capture_output=True, text=True, check=True)
    return done.stdout.strip()
