"""An image with the host's own programs: nginx, git, make, a C compiler, tar, ps, and something for each to work on.

The host's /usr goes into it by hard links, so that all of it is the image's own layer and costs no room. Nothing writes
to it: a container's changes go to its own layer.
"""

import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from copy import copy
from io import BytesIO
from pathlib import Path

from tests.containers.workshop import Workshop

FOLDERS = ("bin", "sbin", "lib", "lib64", "libexec", "include", "share/git-core")
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
ARCHIVED = 20_000
CHECKED_OUT = 3000
SOURCES = 60
NGINX = """
daemon off;
worker_processes 1;
error_log stderr;
pid /run/nginx.pid;
events { worker_connections 512; }
http {
    access_log /run/access.log;
    keepalive_requests 1000;
    server { listen 127.0.0.1:8080; root /srv; }
}
"""
HEADERS = ("stdio", "stdlib", "string", "unistd", "errno", "fcntl", "time", "math")


def make(workshop: Workshop) -> Workshop:
    """The same workshop with this image. Some ten seconds for the first time in a workshop."""
    other = copy(workshop)
    other.image = workshop.folder / "toolbox"
    if not other.image.exists():
        _make(other.image, workshop.programs)
    return other


def _make(image: Path, programs: Path) -> None:
    image.mkdir()
    for name in ("etc", "tmp", "run", "var", "proc", "sys", "dev", "opt", "root", "srv", "var/lib/nginx", "var/log/nginx"):
        (image / name).mkdir(parents=True)
    for name, to in LINKS.items():
        (image / name).symlink_to(to)
    (image / "usr/share").mkdir(parents=True)
    _link([Path("/usr") / name for name in FOLDERS if name != "share/git-core"], image / "usr")
    _link([Path("/usr/share/git-core")], image / "usr/share")
    for name in ("bulk", "quiet"):
        shutil.copy(programs / name, image / "usr/bin" / name)
    for name in ("passwd", "group", "hosts", "ld.so.cache", "nsswitch.conf"):
        shutil.copy(Path("/etc") / name, image / "etc" / name)
    _fill(image)


def _link(sources: Sequence[Path], to: Path) -> None:
    """Hard links; copies where the image is on another filesystem."""
    there = [str(source) for source in sources if source.exists()]
    same = sources[0].stat().st_dev == to.stat().st_dev
    subprocess.run(["cp", "-a", *(["-l"] if same else []), *there, str(to)], check=True)


def _fill(image: Path) -> None:
    (image / "etc/nginx.conf").write_text(NGINX)
    (image / "srv/index.html").write_text("x" * 1024)
    _archive(image / "archive.tar")
    _repository(image / "repository")
    _sources(image / "sources")


def _archive(to: Path) -> None:
    """Files of a few hundred bytes, a hundred in a folder."""
    with tarfile.open(to, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number in range(ARCHIVED):
            entry = tarfile.TarInfo(f"tree/d{number // 100:03d}/f{number:05d}")
            entry.size = 300
            archive.addfile(entry, BytesIO(b"%0300d" % number))


def _repository(folder: Path) -> None:
    """Two branches that differ in every file."""
    folder.mkdir()
    git = ["git", "-C", str(folder), "-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "gc.auto=0"]
    subprocess.run([*git, "init", "-q", "-b", "one"], check=True)
    for branch in ("one", "two"):
        subprocess.run([*git, "checkout", "-q", "-B", branch], check=True)
        for number in range(CHECKED_OUT):
            file = folder / f"d{number // 100:02d}" / f"f{number:04d}"
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{branch} {number}\n")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", branch], check=True)


def _sources(folder: Path) -> None:
    """A small C program of many files, with a makefile."""
    folder.mkdir()
    includes = "".join(f"#include <{name}.h>\n" for name in HEADERS)
    for number in range(SOURCES):
        (folder / f"part{number}.c").write_text(f"{includes}int part{number}(int x)\n{{\n\treturn x + {number};\n}}\n")
    (folder / "main.c").write_text("int main(void)\n{\n\treturn 0;\n}\n")
    (folder / "Makefile").write_text("SOURCES := $(wildcard *.c)\nprogram: $(SOURCES:.c=.o)\n\t$(CC) -o $@ $^\n")
