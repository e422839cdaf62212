"""Who enters a container by its runtime runs what the container has there, and that may be a trap."""

import pytest

from model.event import Exec, Open, Session
from model.verdict import Outcome
from tests.agent.conftest import MakeNamedBox
from tests.agent.sight import Sight
from tests.containers.runc import Box
from tests.containers.spec import MIGHTY_CAPABILITIES

PROBE = "/tmp/busybox"


@pytest.fixture
def trapped(a_box: MakeNamedBox) -> Box:
    """One whose probe is a link into the mount namespace of a process of its own."""
    box = a_box("forged", capabilities=MIGHTY_CAPABILITIES)
    started = box.exec("sh", "-c", "(busybox unshare -m sleep 1000 >/dev/null 2>&1 </dev/null &); until pidof sleep | grep -q ' '; do :; done; pidof sleep")
    inner = next(pid for pid in started.out.split() if pid != "1")
    assert box.exec("ln", "-s", f"/proc/{inner}/root/bin/busybox", PROBE).code == 0
    return box


def test_a_probe_that_leads_out_of_the_container_s_mounts_is_judged_and_so_is_what_it_does(agent: Sight, trapped: Box) -> None:
    assert trapped.exec(PROBE, "cat", "/etc/secret").code == 0
    agent.sees(trapped, Exec, argv=lambda argv: "/etc/secret" in argv, session=Session.EXEC)
    agent.sees(trapped, Open, path="/etc/secret", session=Session.EXEC, outcome=Outcome.VIOLATION)
    assert agent.finding(trapped, "read.denied").subject == "/etc/secret"
