"""What people see: calm, aligned, and nothing of a container's text steers their terminal."""

import io
import json
import os
import re
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from agent.outputs.findings import Findings
from agent.outputs.lines import COLOURS, PLAIN, UNICODE, is_noise, line_of
from agent.outputs.screen import QUEUE, Entry, Screen, style_for
from model.event import Event as Seen
from model.event import Privilege, Session
from model.record import Finding
from model.text import from_bytes
from model.verdict import Mode, Reason, Verdict
from tests.outputs.builders import (
    ALLOWED,
    T0,
    actor,
    eventually,
    exec_,
    flow_count,
    gap,
    net,
    open_,
    origin,
    stamp,
    violation,
)

WIDTH = 110


def line(event: Seen, verdict: Verdict | None = None, **style: Any) -> str:
    return line_of(stamp().record(event, origin(), verdict), style.get("style", PLAIN), style.get("width", WIDTH))


class Busy(io.StringIO):
    """A terminal that takes its first text only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.ready = Event(), Event()

    def write(self, text: str) -> int:
        self.reached.set()
        assert self.ready.wait(10)
        return super().write(text)


def shown(*entries: Entry) -> list[str]:
    """The lines of a screen that got all of these at once."""
    stream = Busy()
    screen = Screen(stream, PLAIN, WIDTH)
    screen.write(stamp().note("stop"))
    assert stream.reached.wait(10)
    for entry in entries:
        screen.write(entry)
    stream.ready.set()
    screen.close(10)
    return stream.getvalue().splitlines()[1:]


def test_a_line_says_time_container_program_verb_subject_and_verdict() -> None:
    words = line(open_(), violation()).split()
    assert words == ["15:23:20.000", "web", "sh", "read", "/etc/passwd", "!", "exec.not_allowed"]


def test_a_program_is_named_by_its_file_and_by_what_it_was_called_as() -> None:
    called = {
        ("/bin/busybox", "nc"): "busybox:nc",
        ("/usr/bin/dash", "/bin/sh"): "dash:sh",
        ("/usr/bin/python3.11", "python3"): "python3.11",
        ("/usr/bin/bash", "-bash"): "bash",
        ("/tmp/x", "nginx"): "x:nginx",
        ("/bin/true", ""): "true",
    }
    for (path, name), shown in called.items():
        assert line(exec_(path, argv=(name, "-x"))).split()[2] == shown, "at its exec its task has the name of the one before"
    assert line(exec_("/bin/true", argv=())).split()[2] == "true"


def test_opens_of_dev_null_are_not_shown_unless_they_are_a_violation() -> None:
    making = stamp()
    blank = [making.record(open_("/dev/null"), origin(), verdict) for verdict in (None, ALLOWED, violation())]
    assert [is_noise(record) for record in blank] == [True, True, False]
    assert not is_noise(making.record(open_("/dev/sda"), origin(), ALLOWED))
    assert shown(*blank) == [line_of(blank[-1], PLAIN, WIDTH)]


def test_what_waits_is_shown_by_its_time_and_a_finding_below_its_record() -> None:
    making, told = stamp(), list[Finding]()
    late, early = making.record(open_("/late", T0 + 2), origin(), violation()), making.record(open_("/early", T0 + 1), origin())
    Findings(making, told.append).write(late)
    lines = shown(late, *told, early)
    assert [word in text for word, text in zip(("/early", "/late", "high"), lines, strict=True)] == [True] * 3


def test_what_the_agent_says_of_itself_is_a_sentence() -> None:
    said: dict[tuple[str, str], dict[str, Any]] = {
        ("start", "watching, as pid 7; log in /l, metrics on 127.0.0.1:1; this kernel has no tp_btf/x"): {
            "pid": 7,
            "policies": 1,
            "missing": ["tp_btf/x"],
            "log": "/l",
            "metrics": "127.0.0.1:1",
        },
        ("policies", "1 policy in force"): {"generation": 1, "policies": 1},
        ("policies", "a.yaml:1:1: no: 2 errors in the policies, none is in force"): {"errors": 2, "first": "a.yaml:1:1: no"},
        ("policies", "a: no: 1 error in the policies, the 3 before stay in force"): {
            "errors": 1,
            "first": "a: no",
            "policies": 3,
        },
        ("stop", "stopped"): {},
    }
    for (kind, text), says in said.items():
        assert line_of(stamp().note(kind, says), PLAIN, WIDTH).endswith(f"  {text}")


def test_arguments_follow_the_program() -> None:
    assert '/bin/sh -c "echo hi"' in line(exec_(argv=("sh", "-c", "echo hi")))


def test_what_no_policy_mentions_has_no_word_and_learn_says_so() -> None:
    assert line(open_()).split()[-1] == "/etc/passwd"
    assert line(open_(), violation(mode=Mode.LEARN)).endswith("learn exec.not_allowed")


def test_counts_and_heartbeats_are_not_shown() -> None:
    assert line(flow_count(5)) == ""
    assert line_of(stamp().note("heartbeat"), PLAIN, WIDTH) == ""


def test_losses_are_shown() -> None:
    assert "3 exec events are not itemised (ring.urgent)" in line(gap())


def test_violations_stand_out_and_the_runtimes_own_steps_are_not_shown() -> None:
    assert COLOURS.loud in line(open_(), violation(), style=COLOURS)
    assert COLOURS.loud not in line(open_(), ALLOWED, style=COLOURS)
    assert line(exec_(session=Session.RUNTIME), violation(), style=COLOURS) == ""


def test_a_finding_stands_below_its_record_with_its_policys_line_and_lineage() -> None:
    told: list[Finding] = []
    Findings(stamp(), told.append).write(stamp().record(exec_(), origin(lineage=("/bin/bash", "/usr/sbin/nginx")), violation()))
    assert line_of(told[0], UNICODE, WIDTH) == " " * 14 + "└ high · evidence/0 · rules/web.yaml:4:3 · by nginx > bash"


def test_a_long_path_keeps_its_end_and_a_long_command_its_begin() -> None:
    assert line(open_("/a" * 200 + "/last.py")).endswith("/last.py")
    assert "/bin/sh first" in line(exec_(argv=("sh", "first", *["x"] * 500)))


def test_at_80_columns_names_give_way_before_an_address() -> None:
    assert "169.254.169.254:80/tcp   ! not_allowed" in line(
        net("169.254.169.254", 80), violation(Reason.EGRESS_NOT_ALLOWED), width=80
    )


def test_a_file_or_pipe_has_no_width_that_would_cut_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    path = "/a" * 300
    stream = io.StringIO()
    screen = Screen(stream, PLAIN)
    screen.write(stamp().record(open_(path), origin(), None))
    screen.close()
    assert stream.getvalue().endswith(f"  {path}\n")


def test_a_name_that_the_terminals_encoding_lacks_is_shown_all_the_same() -> None:
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding="ascii"), PLAIN)
    screen.write(stamp().record(open_("/日本"), origin(), None))
    screen.close()
    assert b"/\\u65e5\\u672c" in raw.getvalue()


def test_who_comes_in_from_outside_is_told_where_it_enters() -> None:
    entered = exec_(session=Session.EXEC)
    assert "(from outside)" in line_of(stamp().record(entered, origin(lineage=()), None), PLAIN, WIDTH)
    assert "(from outside)" not in line(entered)
    assert "(from outside)" not in line_of(stamp().record(exec_(), origin(lineage=()), None), PLAIN, WIDTH)


def test_a_connection_that_failed_says_why() -> None:
    assert line(replace(net(), result=111)).endswith("192.0.2.7:443/tcp (connection refused)")


def test_findings_have_no_id_where_no_log_is_kept_to_look_it_up_in() -> None:
    told: list[Finding] = []
    Findings(stamp(), told.append).write(stamp().record(exec_(), origin(), violation()))
    assert "evidence/" not in line_of(told[0], UNICODE._replace(ids=False), WIDTH)


@pytest.mark.parametrize("width", [20, 80, 110, 300])
def test_a_line_fits_the_terminal(width: int) -> None:
    shown = line(open_("/" + "日本" * 200), violation(), width=width)
    assert cell_len(shown) <= max(width, 108)


@given(st.binary(max_size=80), st.sampled_from([PLAIN, UNICODE, COLOURS]))
def test_a_containers_text_never_steers_the_terminal(hostile: bytes, style: Any) -> None:
    text = from_bytes(hostile)
    shown = line(exec_(text, argv=("x", text)), violation(), style=style, width=400)
    without_ours = re.sub(r"\x1b\[[0-9;]*m", "", shown) if style is COLOURS else shown
    assert without_ours.isprintable()


def test_json_lines_where_nobody_looks() -> None:
    stream = io.StringIO()
    screen = Screen(stream, style_for(stream))
    screen.write(stamp().record(net(), origin(), ALLOWED))
    screen.close()
    assert json.loads(stream.getvalue())["event"]["address"] == "192.0.2.7"


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Pipe(io.StringIO):
    encoding = "utf-8"


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert style_for(Terminal()) == COLOURS
    monkeypatch.setenv("NO_COLOR", "1")
    assert style_for(Terminal()) == UNICODE
    assert style_for(Terminal(), "json") is None
    assert style_for(io.StringIO()) is None
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert style_for(Terminal()) == UNICODE, "NO_COLOR has the last word"
    monkeypatch.delenv("NO_COLOR")
    assert style_for(Pipe(), "lines") == COLOURS
    assert style_for(Pipe()) is None
    assert style_for(io.StringIO(), "lines") == PLAIN, "a stream without an encoding gets ASCII"


def test_a_terminal_that_does_not_read_never_holds_up_the_loop_and_what_is_not_shown_is_said() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as terminal:
        screen = Screen(stream, PLAIN, WIDTH)
        for _ in range(3 * QUEUE):
            screen.write(stamp().record(open_(), origin()))
        seen: list[str] = []
        while not seen or "are not shown" not in seen[-1]:
            seen.append(terminal.readline())
        told = int(seen[-1].split()[0])
        eventually(lambda: screen.not_shown >= told)
        while len(seen) - 1 + told < 3 * QUEUE:
            seen.append(terminal.readline())
            told += int(seen[-1].split()[0]) - 1 if "are not shown" in seen[-1] else 0
        screen.close()


def test_a_closed_pipe_ends_the_output_and_nothing_else() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    screen = Screen(stream, PLAIN, WIDTH)
    screen.write(stamp().record(open_(), origin()))
    eventually(lambda: screen.gone)
    screen.write(stamp().record(open_(), origin()))
    screen.close()
    with pytest.raises(BrokenPipeError):
        stream.close()


@pytest.mark.parametrize(
    ("event", "verdict"),
    [(open_("/one"), violation()), (Privilege(T0, actor(), 1000, 0, 1 << 21), None)],
    ids=["violation", "of its own"],
)
def test_a_finding_stays_below_its_record_though_a_frame_ends_between_them(event: Seen, verdict: Verdict | None) -> None:
    stream, made = io.StringIO(), stamp()
    screen = Screen(stream, PLAIN, WIDTH)
    record = made.record(event, origin(), verdict)
    screen.write(record)
    eventually(lambda: screen._last is record)  # its frame has passed, and it waited
    Findings(made, screen.write).write(record)
    screen.write(made.record(open_("/two", time_ns=T0 + 1), origin(), ALLOWED))
    screen.close(10)
    one, found, two = stream.getvalue().splitlines()
    assert "/one" in one or "gain" in one
    assert found.lstrip().startswith("\\ ")
    assert "/two" in two


def test_a_record_that_nothing_follows_is_shown_all_the_same() -> None:
    stream = io.StringIO()
    screen = Screen(stream, PLAIN, WIDTH)
    screen.write(stamp().record(open_("/one"), origin(), violation()))
    eventually(lambda: "/one" in stream.getvalue())
    screen.close(10)
    assert stream.getvalue().count("/one") == 1
