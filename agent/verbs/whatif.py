"""`vedette replay LOG --policy NEW`: what other policies would have made of recorded days."""

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.outputs.reading import files, lines
from agent.policies import Policies, files_of, policies_of
from agent.verbs.check import HOLDS
from agent.verbs.progress import Progress, progress
from agent.verbs.refusal import refused
from agent.whatif.judging import Rejudge
from agent.whatif.tally import CHANGES, Tally
from agent.whatif.told import told


class Asked(NamedTuple):
    """What the call says of a log."""

    policy: Path | None = None
    old: Path | None = None
    as_json: bool = False


def whatif(place: Path, asked: Asked) -> int:
    """The exit code: 0 where nothing is new, 1 where there are new findings, 2 where the call is wrong."""
    try:
        paths = files(place)
        if not paths:
            return refused(f"{place}: no log in it", "a log is a folder with files named activity-*.jsonl and evidence-*.jsonl")
        if asked.policy is None:
            return refused(f"{place} is a log: name the policies to judge it by", "--policy FILE, or a folder")
        new = _policies(asked.policy)
        old = _policies(asked.old) if asked.old else None
        if new is None or (asked.old and old is None):
            return 2
        tally = _judged(paths, new, old)
    except OSError as error:
        return refused(error)
    if asked.as_json:
        sys.stdout.write(json.dumps(_plain(tally)) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in told(tally))
    return 1 if tally.of("new")[0] else 0


def _judged(paths: list[Path], new: Policies, old: Policies | None) -> Tally:
    rejudge = Rejudge(new, old)
    with progress("judging", paths) as bar, _no_search_for_cycles():
        for path in paths:
            rejudge.lines(_followed(path, bar), str(path))
    return rejudge.tally


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Judging makes none, and to walk over its tables again and again takes an eighth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _followed(path: Path, bar: Progress) -> Iterator[tuple[int, bytes]]:
    for number, line in lines(path):
        bar.advance(len(line))
        yield number, line


def _policies(path: Path) -> Policies | None:
    """None where they can't be used; what is wrong is said."""
    if not path.exists():
        refused(f"{path}: no such file or folder", "is the name right?")
        return None
    if not files_of([path]):
        refused(f"no policy file in {path}", HOLDS)
        return None
    policies = policies_of(path)
    for problem in policies.problems:
        sys.stderr.write(f"vedette: {problem}\n")
    return None if policies.problems else policies


def _plain(tally: Tally) -> dict[str, object]:
    """The answer for programs."""
    totals = {change: dict(zip(("records", "times"), tally.of(change), strict=True)) for change in CHANGES}
    return {
        "records": tally.records,
        "judged": tally.judged,
        "totals": totals,
        "rows": [msgspec.to_builtins(row) for row in tally.sorted_rows()],
        "not_judged": [msgspec.to_builtins(one) for one in tally.not_judged],
    }
