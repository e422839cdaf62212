"""Mounts of the host, by where they are."""

import subprocess
from pathlib import Path


def below(folder: Path) -> list[str]:
    """Mount points below a folder, the inner ones first."""
    points = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)


def clear_below(folder: Path) -> None:
    for point in below(folder):
        subprocess.run(["umount", "--lazy", point], check=True)
