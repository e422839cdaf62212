import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.tree import ROOT, modules

TOO_BIG = ["pandas", "pyarrow", "numpy", "chdb", "fastapi", "kubernetes.client.api.core_v1_api"]


def test_the_import_layers_hold() -> None:
    done = subprocess.run([Path(sys.executable).parent / "lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_whole_agent_imports_none_of_the_collector_s_libraries_and_no_kubernetes_models() -> None:
    names = modules("agent", "model")
    code = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & set(TOO_BIG) == set()


@pytest.mark.parametrize("folder", ["agent", "model"])
def test_importing_starts_nothing_it_only_defines(folder: str) -> None:
    names = modules(folder)
    code = (
        "import importlib, os, threading\nbefore = len(os.listdir('/proc/self/fd'))\n"
        f"for name in {names}: importlib.import_module(name)\n"
        "print(threading.active_count(), len(os.listdir('/proc/self/fd')) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]
