"""`vedette init` on a real container: what it writes allows what was seen, and nothing strange."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.outputs.causes import session_of
from agent.outputs.reading import find
from agent.outputs.stamp import boot_ns
from model.event import Exec, Session
from model.record import Record
from tests.agent import host_programs
from tests.agent.conftest import StartAgent, a_name
from tests.agent.daemon import Daemon
from tests.agent.sight import PATIENCE_S, Book, Sight
from tests.containers.runc import Box
from tests.containers.spec import Recipe
from tests.containers.workshop import Workshop

QUIET, STRANGE = "/usr/bin/quiet", "/dev/shm/strange"
NGINX = """
user root; daemon off; pid /run/nginx.pid; error_log /var/log/nginx/error.log;
events { worker_connections 64; }
http { access_log /var/log/nginx/access.log; server { listen 8080; location / { root /data; autoindex on; } } }
"""
# A web server, and beside it something strange, when it is asked for.
MAIN = f"/usr/sbin/nginx -c /etc/nginx.conf & until test -e {STRANGE}; do sleep 0.1; done; {QUIET}; wait"


@pytest.fixture(scope="module")
def layer(workshop: Workshop) -> Iterator[Path]:
    folder = workshop.folder / "nginx-alone"
    host_programs.with_libraries(folder, "/usr/sbin/nginx")
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc/nginx.conf").write_text(NGINX)
    for name in ("var/log/nginx", "var/lib/nginx"):
        (folder / name).mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


def served(workshop: Workshop, layer: Path, name: str) -> Box:
    box = Box(workshop, Recipe(name=name, args=("/bin/sh", "-c", MAIN)))
    box.lower = Path(f"{layer}:{workshop.image}")
    return box


def serves(box: Box) -> None:
    result = box.exec("sh", "-c", "until wget -q -O /dev/null http://127.0.0.1:8080/d00/; do sleep 0.1; done", timeout_s=20)
    assert result.code == 0, f"{result.err}{box.err}"


def put_in_force(own: Daemon, policy: str) -> None:
    (own.rules / "first.yaml").write_text(policy.replace("mode: learn", "mode: alert"))
    deadline = time.monotonic() + PATIENCE_S
    while not any(note.says.get("generation") == 2 for note in own.notes("policies")):
        assert time.monotonic() < deadline, own.notes("policies")
        time.sleep(0.05)


def test_the_first_policy_of_a_web_server_allows_it_after_a_restart_and_nothing_strange(
    agent_of_its_own: StartAgent, workshop: Workshop, layer: Path
) -> None:
    own, name = agent_of_its_own(), a_name("first")
    agent = Sight(Book(own.log), boot_ns())
    with served(workshop, layer, name) as box:
        serves(box)
        agent.settled(box)
    told = own.verb("init", name, "--log", str(own.log))
    assert told.returncode == 0, told.stderr
    assert "mode: learn" in told.stdout
    assert "8080/tcp" in told.stdout
    assert "wget" not in told.stdout, "what was entered from outside is no part of it"
    put_in_force(own, told.stdout)
    whatif = json.loads(own.verb("replay", str(own.log), "--policy", str(own.rules / "first.yaml"), "--json").stdout)
    examples = [find(own.log, row["example"]) for row in whatif["rows"]]
    assert {session_of(one.event) for one in examples if isinstance(one, Record)} <= {Session.EXEC}, whatif
    assert whatif["totals"]["new"]["records"], "what was entered from outside would be found"
    checked = own.verb("check", str(own.rules / "first.yaml"))
    assert "nothing to complain about" in checked.stdout, checked.stdout
    agent = Sight(Book(own.log), boot_ns())
    with served(workshop, layer, name) as box:
        serves(box)
        agent.settled(box)
        of_its_own = [one for one in agent.findings(box) if one.session != "exec"]
        assert of_its_own == [], f"{told.stdout}\n{agent.told(box)}"
        box.exec("touch", STRANGE)
        found = agent.finding(box, "exec.not_allowed", subject=QUIET, session="main")
        assert found.policy == name
        assert agent.sees(box, Exec, path=QUIET).id == found.record
