"""Puts the compiled BPF programs into the wheel."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ObjectHook(BuildHookInterface[Any]):
    """Compiles the programs for every machine, and names the objects to the builder, which leaves out what git ignores."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is written. An editable install takes the objects of the checkout as they are."""
        if version == "editable":
            return
        for name in self.compile():
            build_data["force_include"][str(Path(self.root, name))] = name

    def compile(self) -> list[str]:
        """Paths of the objects. Raises SystemExit: the compiler, or our message about what to install, has said why."""
        command = [sys.executable, str(Path(self.root, "compile_bpf.py")), "all"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            sys.exit(done.returncode)
        return done.stdout.splitlines()
