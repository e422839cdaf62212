"""`vedette check`."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from agent.policies import files_of, read
from agent.settings import SettingsError, load
from agent.texts import text_of
from agent.verbs.places import PlaceError, container, in_container, in_image
from agent.verbs.refusal import refused
from model.elsewhere import elsewhere, paths_of
from model.lint import lint
from model.policy import Policy
from model.problem import PolicyError, Problem
from model.testing import ENDING, parse
from model.text import printable

HOLDS = "policies are *.yaml files; those in a folder `examples` and *.test.yaml are left out"


class At(Struct, frozen=True):
    """The image or the container at hand in which paths are looked at."""

    image: Path | None = None  # a folder that an image was unpacked into
    container: str | None = None  # name, or begin of the id, of a container that runs
    settings: Path | None = None
    log: Path | None = None  # of the agent that knows the container


def check(paths: Sequence[Path], at: At, *, as_json: bool, strict: bool) -> int:
    """Print all problems. 0: usable, warnings at most; 1: not usable, or warnings and `strict`; 2: the call is wrong."""
    try:
        missing = [str(path) for path in paths if not path.exists()]
        files = files_of(paths)
    except OSError as error:
        return refused(error)
    if missing:
        return refused(f"no such file or folder: {', '.join(missing)}", "is the name right?")
    if not files:
        return refused(f"no policy file in {', '.join(map(str, paths))}", HOLDS)
    policies, problems, texts = read(file for file in files if not is_test(file))
    problems += [problem for file in files if is_test(file) for problem in problems_of(file)]
    try:
        warnings = lint(policies, texts) + _elsewhere(policies, texts, at)
    except PlaceError as error:
        return refused(error, error.hint)
    except SettingsError as error:
        return refused(error)
    order = {str(file): number for number, file in enumerate(files)}
    told = sorted((*problems, *warnings), key=lambda one: (order.get(one.file, len(order)), one.line, one.column))
    tell(told, _summary(len(files), len(policies), len(problems), len(warnings)), as_json=as_json)
    return 1 if problems or (strict and warnings) else 0


def _elsewhere(policies: Sequence[Policy], texts: Mapping[str, str], at: At) -> list[Problem]:
    found: list[Problem] = []
    if at.image is not None:
        found += elsewhere(policies, texts, in_image(at.image, paths_of(policies)), str(at.image))
    if at.container is not None:
        it = container(load(at.settings, overrides={"log.folder": at.log}).log.folder, at.container)
        concerned = [policy for policy in policies if it.is_selected_by(policy)]
        if not concerned:
            raise PlaceError(
                f"no policy here selects {printable(it.name or it.id)}", f"its image is {printable(it.image) or 'not known'}"
            )
        found += elsewhere(concerned, texts, in_container(it, paths_of(concerned)), f"container {printable(it.name or it.id)}")
    return found


def is_test(file: Path) -> bool:
    """Whether a file that was named is one of tests: then its form is checked. `vedette test` runs it."""
    return file.name.endswith(ENDING)


def problems_of(file: Path) -> list[Problem]:
    """What is wrong in a test file."""
    try:
        parse(text_of(file), str(file))
    except PolicyError as error:
        return list(error.problems)
    return []


def tell(problems: Sequence[Problem], summary: str, *, as_json: bool) -> None:
    """Print problems: for people, or as a JSON list."""
    if as_json:
        sys.stdout.write(json.dumps([plain(problem) for problem in problems]) + "\n")
        return
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    sys.stdout.write(summary)


def plain(problem: Problem) -> dict[str, str | int]:
    """A problem for programs: every field is always there."""
    return {
        "file": problem.file, "line": problem.line, "column": problem.column, "severity": problem.level,
        "code": str(problem.code), "message": problem.message, "hint": problem.hint,
    }  # fmt: skip


def _summary(files: int, policies: int, errors: int, warnings: int) -> str:
    counts = ((errors, "error"), (warnings, "warning"))
    said = ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in counts if count)
    what = f"{policies} polic{'y' if policies == 1 else 'ies'} in {files} file{'' if files == 1 else 's'}"
    return f"{what}: {said or 'nothing to complain about'}\n"
