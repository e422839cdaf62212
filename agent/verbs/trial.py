"""`vedette test`: the cases of *.test.yaml files against the policies beside them."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from agent.policies import read
from agent.texts import text_of
from agent.verbs.check import plain
from agent.verbs.refusal import refused
from model.policy import Policy
from model.problem import PolicyError, Problem
from model.testing import ENDING, Group, parse
from model.trial import Failure, run

HOLDS = "tests are files NAME.test.yaml beside NAME.yaml"


class Report(Struct):
    """What came out of all files."""

    files: int = 0
    cases: int = 0
    failures: list[Failure] = []
    problems: list[Problem] = []

    @property
    def passed(self) -> int:
        """Cases that came out as expected."""
        return self.cases - len(self.failures)


def trial(paths: Sequence[Path], *, as_json: bool) -> int:
    """Run all of them. 0: every case is as expected; 1: one is not, or a file has errors; 2: there is nothing to run."""
    try:
        missing = [str(path) for path in paths if not path.exists()]
        files = list(dict.fromkeys(tests_of(paths)))
    except OSError as error:
        return refused(error)
    if missing:
        return refused(f"no such file or folder: {', '.join(missing)}", "is the name right?")
    if not files:
        return refused(f"no test in {', '.join(map(str, paths))}", HOLDS)
    report = Report()
    for file in files:
        _run_file(file, report)
    _tell(report, as_json=as_json)
    return 1 if report.failures or report.problems else 0


def tests_of(paths: Sequence[Path]) -> Iterator[Path]:
    """The test files among and below these paths; of a policy file, the one beside it."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob(f"*{ENDING}"))
        elif path.name.endswith(ENDING):
            yield path
        elif path.with_suffix(ENDING).exists():
            yield path.with_suffix(ENDING)


def _run_file(file: Path, report: Report) -> None:
    report.files += 1
    try:
        groups = parse(text_of(file), str(file))
    except PolicyError as error:
        report.problems += error.problems
        return
    for group in groups:
        policies = _policies_of(file, group, report.problems)
        if policies is not None:
            report.cases += len(group.cases)
            report.failures += [failure for case in group.cases if (failure := run(policies, case)) is not None]


def _policies_of(file: Path, group: Group, problems: list[Problem]) -> list[Policy] | None:
    """The policies that a group is about; None, and told, where they can't be used."""
    named = [(file.parent / one.file, one.problem) for one in group.policies]
    named = named or [(file.with_name(file.name.removesuffix(ENDING) + ".yaml"), group.cases[0].problem)]
    found = [
        problem(f"no policy file {path}", "name those that are tested: policies: [NAME.yaml]")
        for path, problem in named
        if not path.is_file()
    ]
    policies, wrong, _ = read(path for path, _ in named if path.is_file())
    known = set(problems)
    problems += [problem for problem in (*found, *wrong) if problem not in known]
    return None if found or wrong else policies


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(_plain(report)) + "\n")
        return
    for each in (*report.problems, *report.failures):
        sys.stdout.write(f"{each}\n\n")
    sys.stdout.write(_summary(report))


def _plain(report: Report) -> dict[str, Any]:
    failures = [
        {**plain(one.problem), "case": one.case, "expected": one.expected, "got": one.got} for one in report.failures
    ]  # fmt: skip
    problems = [plain(one) for one in report.problems]
    return {"files": report.files, "cases": report.cases, "passed": report.passed, "failures": failures, "problems": problems}


def _summary(report: Report) -> str:
    parts = [f"{report.passed} passed", f"{len(report.failures)} failed"]
    if report.problems:
        parts.append(f"{len(report.problems)} error{'' if len(report.problems) == 1 else 's'}")
    cases = f"{report.cases} case{'' if report.cases == 1 else 's'}"
    return f"{cases} in {report.files} file{'' if report.files == 1 else 's'}: {', '.join(parts)}\n"
