"""`vedette replay`: a recording of raw events runs through the pipeline again, a log is judged again. Content tells which."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.verbs.recording import replay as replay_recording
from agent.verbs.refusal import refused
from agent.verbs.whatif import Asked
from agent.verbs.whatif import whatif as replay_log

HINT = "a recording (run --record) takes --settings, --policies, --log, --output; a log takes --policy, --old, --json"


def replay(place: Path, settings: Path | None, overrides: Mapping[str, Any], asked: Asked) -> int:
    """The exit code. `settings` and `overrides` are for recordings, `asked` is for logs."""
    try:
        is_log = place.is_dir() or _begins_as_a_log(place)
    except OSError as error:
        return refused(error)
    foreign = [settings, *overrides.values()] if is_log else list(asked)
    if any(foreign):
        return refused(f"{place} is a {'log' if is_log else 'recording'}: some of these options are not for it", HINT)
    return replay_log(place, asked) if is_log else replay_recording(place, settings, overrides)


def _begins_as_a_log(file: Path) -> bool:
    """Each line of a log is a JSON object. A recording begins with a magic word, and says itself where that is missing."""
    with file.open("rb") as stream:
        return stream.read(1) == b"{"
