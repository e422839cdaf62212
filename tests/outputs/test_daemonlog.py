"""The daemon's own log."""

import io
import json

from agent.outputs.daemonlog import CAUSES, Sparse, daemon_logger


def test_json_with_level_time_and_fields_where_nobody_looks() -> None:
    stream = io.StringIO()
    daemon_logger(stream).info("started", containers=3)
    said = json.loads(stream.getvalue())
    assert (said["event"], said["level"], said["containers"]) == ("started", "info", 3)
    assert said["timestamp"].endswith("Z")


def test_below_its_level_it_says_nothing() -> None:
    stream = io.StringIO()
    daemon_logger(stream, "warning").info("started")
    assert stream.getvalue() == ""


def test_a_containers_text_is_escaped_on_the_terminal() -> None:
    stream = io.StringIO()
    daemon_logger(stream, colours=True).warning("odd name", name="\x1b]0;owned\x07\u202e")
    assert "\x1b]" not in stream.getvalue()
    assert "\\u202e" in stream.getvalue()


def test_tracebacks_come_along() -> None:
    stream = io.StringIO()
    daemon_logger(stream).error("crashed", exc_info=ValueError("no"))
    assert "ValueError: no" in json.loads(stream.getvalue())["exception"]


def test_two_loggers_share_nothing() -> None:
    one, other = io.StringIO(), io.StringIO()
    daemon_logger(one, "error")
    daemon_logger(other, "debug").debug("here")
    assert one.getvalue() == ""
    assert "here" in other.getvalue()


def test_a_frequent_cause_is_told_once_and_later_with_its_count() -> None:
    stream, now_s = io.StringIO(), [0.0]
    sparse = Sparse(daemon_logger(stream), again_s=60, clock=lambda: now_s[0])
    for _ in range(100):
        sparse.warning("decode failed", kind=99)
    now_s[0] = 61
    sparse.warning("decode failed", kind=99)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert "also" not in first
    assert second["also"] == 99


def test_causes_are_bounded() -> None:
    sparse = Sparse(daemon_logger(io.StringIO()))
    for number in range(10 * CAUSES):
        sparse.warning(f"cause {number}")
    assert len(sparse._told) == CAUSES
