"""`vedette check`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from msgspec import to_builtins

from agent.policies import files_of, read
from agent.verbs.refusal import refused
from model.lint import lint

HOLDS = "policies are *.yaml files; those in a folder `examples` and *.test.yaml are left out"


def check(paths: Sequence[Path], *, as_json: bool) -> int:
    """Print all problems. 0: usable, warnings at most; 1: not usable; 2: there is nothing to check."""
    try:
        missing = [str(path) for path in paths if not path.exists()]
    except OSError as error:
        return refused(error)
    if missing:
        return refused(f"no such file or folder: {', '.join(missing)}", "is the name right?")
    if not files_of(paths):
        return refused(f"no policy file in {', '.join(map(str, paths))}", HOLDS)
    policies, problems, texts = read(paths)
    warnings = lint(policies, texts)
    if as_json:
        sys.stdout.write(json.dumps(to_builtins([*problems, *warnings])) + "\n")
    else:
        for problem in (*problems, *warnings):
            sys.stdout.write(f"{problem}\n")
        sys.stdout.write(_summary(len(files_of(paths)), len(policies), len(problems), len(warnings)))
    return 1 if problems else 0


def _summary(files: int, policies: int, errors: int, warnings: int) -> str:
    counts = ((errors, "error"), (warnings, "warning"))
    said = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)
    what = f"{policies} polic{'y' if policies == 1 else 'ies'} in {files} file{'' if files == 1 else 's'}"
    return f"{what}: {said or 'nothing to complain about'}\n"
