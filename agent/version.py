"""Which version this is."""

import tomllib
from importlib import metadata
from pathlib import Path

NAME = "vedette"
_PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def version(project: Path = _PROJECT) -> str:
    """Of the clone that this runs from, else of the installed wheel; "unknown" for files copied without either."""
    try:
        said = tomllib.loads(project.read_text())["project"]
        if said["name"] == NAME:
            return str(said["version"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        return "unknown"
