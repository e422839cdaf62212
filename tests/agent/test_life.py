"""The ordinary life of a container whose policy allows it raises no finding; what is out of the ordinary still does."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.event import Access, Exec, FlowCount, Load, Net, Open, Session
from model.verdict import Outcome
from tests.agent import host_programs
from tests.agent.conftest import MakeNamedBox
from tests.agent.sight import Sight
from tests.containers.runc import Box
from tests.containers.workshop import Workshop

QUIET = "/usr/bin/quiet"
NGINX = """
user root; daemon off; pid /run/nginx.pid; error_log /var/log/nginx/error.log;
events { worker_connections 64; }
http { access_log /var/log/nginx/access.log; server { listen 8080; location / { root /data; autoindex on; } } }
"""
WEB = ("/usr/sbin/nginx", "-c", "/etc/nginx.conf")
PACKAGE = """
set -e
cd /build
tar cf source.tar -C / data/d00 data/d01 usr/bin/script
tar xf source.tar
for file in data/d00/*; do cp "$file" "$file.o"; done
cat data/d00/*.o > program.tmp
printf '#!/bin/sh\\necho built\\n' > configure
chmod 755 configure
./configure
mv program.tmp program
ln -s program current
find . -name '*.o' | xargs rm
rm -rf data usr source.tar
"""
DATABASE = """
import contextlib, json, multiprocessing.pool, sqlite3, subprocess, sys, tempfile
base = sqlite3.connect("/var/db/base.sqlite")
base.execute("create table if not exists seen (n int)")
for n in range(50):
    with base:
        base.execute("insert into seen values (?)", (n,))
with tempfile.TemporaryFile() as file:
    file.write(json.dumps(list(base.execute("select sum(n) from seen"))).encode())
print(multiprocessing.pool.ThreadPool(4).map(len, ["a", "bb"]))
subprocess.run(["sleep", "0"], check=True)
"""
SERVER = "import http.server; http.server.ThreadingHTTPServer(('', 8000), http.server.SimpleHTTPRequestHandler).serve_forever()"


@pytest.fixture(scope="module")
def host_layer(workshop: Workshop) -> Iterator[Path]:
    """A layer with nginx and Python above the image. A second once."""
    layer = workshop.folder / "host-programs"
    host_programs.with_libraries(layer, "/usr/sbin/nginx")
    host_programs.python(layer)
    (layer / "etc").mkdir(exist_ok=True)
    (layer / "etc/nginx.conf").write_text(NGINX)
    for folder in ("var/db", "build", "var/log/nginx", "var/lib/nginx"):
        (layer / folder).mkdir(parents=True)
    yield layer
    shutil.rmtree(layer)


def is_quiet_until_misdeed(agent: Sight, box: Box) -> None:
    """Nothing was found, and that is not because nobody looked."""
    agent.settled(box)
    assert agent.findings(box) == [], agent.told(box)
    assert agent.records(box, Exec, outcome=Outcome.ALLOWED)
    box.attack("execve", QUIET)
    agent.finding(box, "exec.not_allowed", subject=QUIET)


def answers(box: Box, url: str) -> None:
    result = box.exec("sh", "-c", f"until wget -q -O /dev/null {url}; do sleep 0.1; done", timeout_s=20)
    assert result.code == 0, f"{result.err}{box.err}"


def test_a_cron_job(agent: Sight, a_box: MakeNamedBox) -> None:
    job = (
        "mkdir -p /var/log/jobs; while sleep 0.05; do /usr/bin/script >> /var/log/jobs/out 2>&1; date >> /var/log/jobs/out; done"
    )
    box = a_box("cron", args=("sh", "-c", job))
    agent.sees(box, Exec, script=lambda file: file is not None, session=Session.MAIN, outcome=Outcome.ALLOWED)
    agent.sees(box, FlowCount, count=lambda count: count > 10)
    is_quiet_until_misdeed(agent, box)


def test_a_web_server_with_probes_and_log_rotation(agent: Sight, a_box: MakeNamedBox, host_layer: Path) -> None:
    box = a_box("web", layer=host_layer, args=WEB)
    answers(box, "http://127.0.0.1:8080/d00/f0000")
    for _ in range(5):
        assert box.exec("wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/d01/").code == 0
        assert box.exec("sh", "-c", "test -s /run/nginx.pid").code == 0
    rotate = "mv /var/log/nginx/access.log /var/log/nginx/access.log.1; kill -USR1 $(cat /run/nginx.pid)"
    assert box.exec("sh", "-c", rotate).code == 0
    assert box.exec("sh", "-c", "until test -e /var/log/nginx/access.log; do :; done", timeout_s=20).code == 0
    answers(box, "http://127.0.0.1:8080/d02/f0200")
    agent.sees(box, Net, port=8080, outcome=Outcome.ALLOWED, program="/usr/sbin/nginx")
    agent.sees(box, Open, path="/var/log/nginx/access.log", program="/usr/sbin/nginx")
    is_quiet_until_misdeed(agent, box)


def test_a_package_build(agent: Sight, a_box: MakeNamedBox, host_layer: Path) -> None:
    box = a_box("build", layer=host_layer)
    assert box.exec("sh", "-c", PACKAGE).out == "built\n"
    agent.sees(box, Exec, script=lambda file: file is not None and file.path == "/build/configure", outcome=Outcome.ALLOWED)
    is_quiet_until_misdeed(agent, box)


def test_a_language_runtime_and_a_database(agent: Sight, a_box: MakeNamedBox, host_layer: Path) -> None:
    box = a_box("python", layer=host_layer)
    result = box.exec("/usr/local/bin/python3", "-B", "-c", DATABASE)
    assert result.out == "[1, 2]\n", result.err
    agent.sees(box, Open, path="/var/db/base.sqlite", access=Access.READ | Access.WRITE | Access.CREATE)
    agent.settled(box)
    assert agent.records(box, Load, session=Session.EXEC) == [], agent.told(box, Load)
    is_quiet_until_misdeed(agent, box)


def test_a_server_written_in_python(agent: Sight, a_box: MakeNamedBox, host_layer: Path) -> None:
    box = a_box("python", layer=host_layer, args=("/usr/local/bin/python3", "-B", "-c", SERVER))
    answers(box, "http://127.0.0.1:8000/etc/benign")
    agent.sees(box, Net, port=8000, outcome=Outcome.ALLOWED, session=Session.MAIN)
    is_quiet_until_misdeed(agent, box)


def test_many_short_containers_one_after_another(agent: Sight, a_box: MakeNamedBox) -> None:
    for _ in range(8):
        box = a_box("cron", args=("/usr/bin/script",))
        agent.sees(box, Exec, session=Session.MAIN, outcome=Outcome.ALLOWED)
        box.remove()
        assert agent.findings(box) == []
