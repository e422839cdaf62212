"""The project's own files, for tests that read them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def files(pattern: str = "*") -> Iterator[Path]:
    """Every file that is in git or would be added, of this name."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", pattern]
    listed = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    yield from sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def modules(*folders: str) -> list[str]:
    """Import names of every module in these packages."""
    paths = [path.relative_to(ROOT).with_suffix("") for folder in folders for path in files(f"{folder}/*.py")]
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]
