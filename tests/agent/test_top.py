"""`vedette top` beside a real agent and a real container."""

import json

from agent.outputs.stamp import boot_ns
from model.event import Exec, Net
from tests.agent.conftest import MakeNamedBox
from tests.agent.daemon import Daemon
from tests.agent.sight import Sight
from tests.top.screen import Seat

QUIET = "/usr/bin/quiet"


def test_what_a_container_does_is_on_the_screen_and_one_key_away_is_who_did_it(
    agent: Sight, daemon: Daemon, a_box: MakeNamedBox
) -> None:
    box = a_box("strict")
    with Seat("top", "--log", str(daemon.log), size=(110, 40)) as seat:
        seat.shows("q quit")
        seat.press(f"/{box.name}\r")
        box.attack("execve", QUIET)
        box.exec("/usr/bin/attack", "udp-sendto", "192.0.2.77", "53")
        agent.finding(box, "exec.not_allowed", subject=QUIET)
        agent.sees(box, Net, address="192.0.2.77")
        seat.until(lambda: any(line.startswith(box.name) and "not_allowed" in line for line in seat.screen.lines))
        seat.press("\r")
        main = agent.sees(box, Exec, session=lambda one: one.name == "MAIN").event
        seat.shows("PROCESSES", f"{main.actor.pid} ", f"exec.not_allowed  {QUIET}", "192.0.2.77:53/udp")  # type: ignore[union-attr]
        seat.press("q")
        assert seat.ends() == 0
        assert seat.is_as_before()


def test_programs_get_the_same_without_any_capability(agent: Sight, daemon: Daemon, a_box: MakeNamedBox) -> None:
    box = a_box("strict")
    box.attack("execve", QUIET)
    agent.finding(box, "exec.not_allowed", subject=QUIET)
    began_ns = boot_ns()
    told = daemon.verb("top", "--json", "--count", "1", "--log", str(daemon.log))
    assert told.returncode == 0, told.stderr
    shown = json.loads(told.stdout)
    rows = {row["name"]: row for row in shown["containers"]}
    assert box.name in rows, rows
    row = rows[box.name]
    assert row["running"]
    assert row["findings"] >= 1
    assert row["last_reason"].endswith("not_allowed")
    assert row["execs_per_s"] > 0 or boot_ns() - began_ns > 5e9  # a machine so slow that the window is over
    assert shown["agent"]["ready"]
