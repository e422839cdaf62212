"""`vedette top` on a real terminal, beside a log that grows."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from agent.outputs.stamp import boot_ns
from model.event import Session
from model.origin import Origin
from tests.outputs import builders
from tests.top.builders import DB, WEB, FakeAgent, finding, process
from tests.top.screen import END_SIGNALS, Seat

MAIN = process("main", "/usr/sbin/nginx", pid=1000)
SHELL = process("sh", "/bin/sh", "main", pid=1001, argv=("sh", "-c", "evil\x1b[2J"), session=Session.EXEC)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    """Of an agent that watches `web`, which does something, and `db`, which does nothing."""
    agent = FakeAgent(tmp_path / "log")
    agent.status(WEB, DB)
    agent.write(*(builders.open_(f"/var/{number}", boot_ns()) for number in range(20)), of=Origin(WEB, MAIN))
    (ran,) = agent.write(builders.exec_("/bin/sh", boot_ns()), of=Origin(WEB, SHELL))
    agent.write(structs.replace(builders.net(time_ns=boot_ns()), name="evil.example.com"), of=Origin(WEB, SHELL))
    agent.tell(finding(ran, subject="/tmp/\x1b]0;mine\x07"))
    agent.write(builders.exec_("/bin/psql", boot_ns()), of=Origin(DB, process("db", "/bin/psql")))
    yield agent.folder
    agent.log.close()


def test_the_table_fills_the_screen_with_the_keys_at_its_bottom_and_q_gives_the_terminal_back(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("CONTAINER", "total", "web", "db", "exec.not_allowed")
        assert "q quit" in seat.screen.lines[-1]
        assert seat.screen.other_screen
        seat.press("q")
        assert seat.ends() == 0
        assert seat.is_as_before()


def test_a_container_is_opened_for_its_tree_findings_and_peers_and_left_again(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        seat.press("\r")
        seat.shows("PROCESSES", "/usr/sbin/nginx", "└ /bin/sh", "exec.not_allowed", "evil.example.com")
        seat.press("\x1b")
        seat.shows("CONTAINER")


def test_keys_order_filter_and_explain(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("EVENTS/S▾")
        seat.press("s")
        seat.shows("NEW/S▾")
        seat.press("/db\r")
        seat.shows('only with "db"')
        seat.until(lambda: not any(line.startswith("web") for line in seat.screen.lines))
        seat.press("\x1b[B?")
        seat.shows("events that were not itemised")


def test_what_a_container_wrote_is_never_sent_to_the_terminal_as_it_is(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        seat.press("\r\t")
        seat.shows("\\u001b]0;mine\\u0007", "evil\\u001b[2J")  # a raw one would fail the screen
        seat.press("q")
        assert seat.ends() == 0


@pytest.mark.parametrize("size", [(132, 43), (60, 12), (40, 8), (20, 5), (8, 2)])
def test_a_new_size_of_the_window_is_filled_and_never_left(log: Path, size: tuple[int, int]) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        seat.resize(*size)
        seat.until(lambda: "q quit"[: size[0] - 1] in seat.screen.lines[-1])
        seat.press("\r")
        seat.until(lambda: "q quit"[: size[0] - 1] in seat.screen.lines[-1] and seat.screen.frames > 2)
        seat.press("q")
        assert seat.ends() == 0
        assert seat.is_as_before()


@pytest.mark.parametrize("number", END_SIGNALS)
def test_a_signal_ends_it_and_the_terminal_is_as_before(log: Path, number: signal.Signals) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        seat.process.send_signal(number)
        assert seat.ends() == 0
        assert seat.is_as_before()


def test_ctrl_c_ends_it(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        seat.press("\x03")
        assert seat.ends() == 0
        assert seat.is_as_before()


def test_a_defect_of_ours_gives_the_terminal_back_before_it_is_told() -> None:
    code = "from agent.top.terminal import *; import sys\nwith Terminal(sys.stdin, sys.stdout): raise RuntimeError('a defect')"
    with Seat(code=code) as seat:
        assert seat.ends() == 1
        assert seat.is_as_before()
        seat.shows("RuntimeError: a defect")


def test_ctrl_z_gives_the_terminal_back_and_takes_it_again(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        seat.press("\x1a")
        seat.until(lambda: seat.raw.count(b"\x1b[?1049h") == 2)
        assert seat.raw.count(b"\x1b[?1049l") == 1
        seat.shows("web")
        seat.press("q")
        assert seat.ends() == 0
        assert seat.is_as_before()


def test_it_ends_when_its_terminal_is_gone(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        os.close(seat._ours)
        assert seat.process.wait(20) == 0
        seat._ours = os.open(os.devnull, os.O_RDONLY)


@pytest.mark.parametrize("how", ["SIGTERM", "q"])
def test_it_ends_also_when_its_terminal_stands_still_and_gives_it_back(log: Path, how: str) -> None:
    with Seat("top", "--log", str(log), size=(200, 60)) as seat:
        seat.shows("web")
        seat.fill()
        seat.press("q") if how == "q" else seat.process.terminate()
        assert seat.ends_unread() == 0
        assert seat.is_as_before()


def test_colours_are_left_out_where_they_are_not_wanted(log: Path) -> None:
    with Seat("top", "--log", str(log), environment={"NO_COLOR": "1"}) as seat:
        seat.shows("web")
        assert b"\x1b[31m" not in seat.raw
        assert b"[1;31m" not in seat.raw


def test_a_log_that_grows_is_seen_within_seconds(log: Path) -> None:
    with Seat("top", "--log", str(log)) as seat:
        seat.shows("web")
        with (next(log.glob("activity-*.jsonl"))).open("ab") as file:
            line = next(log.glob("activity-*.jsonl")).read_bytes().splitlines(keepends=True)[-1]
            file.write(line.replace(b'"name":"db"', b'"name":"new-one"').replace(b"/system.slice/db.scope", b"/new"))
        seat.shows("new-one")
