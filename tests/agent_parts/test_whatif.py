"""`vedette replay LOG`: recorded days judged again by other policies."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.policies import policies_of
from agent.verbs.replay import replay
from agent.verbs.whatif import Asked, whatif
from agent.whatif import judging, tally
from agent.whatif.judging import Rejudge
from agent.whatif.tally import CHANGES, Tally, compare
from model.event import Event, Many, Open, Session, Socket
from model.judge import Compiled, build, judge
from model.origin import Container
from model.policy import Policy, parse
from model.record import Note, Record
from model.verdict import Mode, Outcome, Verdict
from tests.model.strategies import KINDS, VERBS, keys, policies, text_of
from tests.outputs.builders import BOOT, T0, actor, container, file, flow_count, gap, open_, origin, stamp, written

NOTHING_DENIED = parse(text_of("p", "alert", {"read": (None, [])}), "p.yaml")[0]
NOTHING = {"policies.folder": None, "log.folder": None, "output": None}
READS = text_of("web", "alert", {"read": (["/etc/passwd"], None)})
DENIES = text_of("web", "alert", {"read": (None, ["/etc/passwd"])})
ALLOWED = Verdict(Outcome.ALLOWED, "read", "allowed", Mode.ALERT, 1)  # type: ignore[arg-type]


def rules(folder: Path, text: str, name: str = "new.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def tallied(log: Path, new: Path, old: Path | None = None) -> Tally:
    rejudge = Rejudge(policies_of(new), policies_of(old) if old else None)
    for path in sorted(log.iterdir(), reverse=True):
        rejudge.lines(enumerate(path.read_bytes().splitlines(keepends=True), 1), str(path))
    return rejudge.tally


def totals(tally: Tally) -> dict[str, tuple[int, int]]:
    return {change: tally.of(change) for change in CHANGES if tally.of(change)[0]}


def test_what_the_new_policies_deny_is_a_new_finding_with_an_example(tmp_path: Path) -> None:
    record = stamp().record(open_("/etc/passwd"), origin(), ALLOWED)
    found = tallied(written(tmp_path / "log", record), rules(tmp_path, DENIES))
    (row,) = found.rows.values()
    assert (row.change, row.container, row.policy, row.reason) == ("new", "web", "web", "read.denied")
    assert row.rule.startswith("web/read/deny/")
    assert (row.subject, row.example, row.records, row.times) == ("/etc/passwd", record.id, 1, 1)


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        (READS, DENIES, "new"),
        (DENIES, READS, "gone"),
        (DENIES, DENIES, "same"),
        (READS.replace("passwd", "group"), DENIES, "changed"),
        (READS, DENIES.replace("alert", "learn"), "learnt"),
        (DENIES, DENIES.replace("alert", "learn"), "gone"),
        (READS, READS, ""),
    ],
)
def test_two_sets_of_policies_are_compared(old: str, new: str, change: str, tmp_path: Path) -> None:
    log = written(tmp_path / "log", stamp().record(open_("/etc/passwd"), origin(), ALLOWED))
    found = tallied(log, rules(tmp_path, new), rules(tmp_path, old, "old.yaml"))
    assert totals(found) == ({change: (1, 1)} if change else {})


def test_the_count_of_a_known_flow_belongs_to_its_first_sight(tmp_path: Path) -> None:
    s = stamp()
    told = [s.record(event, origin(), ALLOWED if isinstance(event, Open) else None) for event in (
        open_(flow=b"f" * 40), flow_count(10), flow_count(1000, final=True),  # the kernel's count is monotone, and has the first
        open_(flow=b"f" * 40), flow_count(5),  # forgotten, and seen again
        flow_count(7, flow=b"g" * 40),
    )]  # fmt: skip
    found = tallied(written(tmp_path / "log", *told), rules(tmp_path, DENIES))
    assert totals(found) == {"new": (2, 1005)}
    (missing,) = found.not_judged
    assert (missing.what, missing.why, missing.count) == ("counts of flows", "their first sight is not in this log", 7)


def test_a_known_flow_that_was_judged_by_other_policies_meanwhile_did_nothing_new(tmp_path: Path) -> None:
    s = stamp()
    again = replace(open_(), standing=True)
    told = [s.record(open_(), origin(), ALLOWED), s.record(again, origin(), ALLOWED), s.record(flow_count(10), origin())]
    assert totals(tallied(written(tmp_path / "log", *told), rules(tmp_path, DENIES))) == {"new": (1, 10)}


def test_flows_of_another_boot_are_others(tmp_path: Path) -> None:
    s = stamp()
    first, count = s.record(open_(), origin(), ALLOWED), s.record(flow_count(9), origin())
    found = tallied(
        written(tmp_path / "log", first, replace(count, where=replace(count.where, boot="another"))), rules(tmp_path, DENIES)
    )
    assert totals(found) == {"new": (1, 1)}
    assert found.not_judged[0].count == 9


def test_a_kind_that_no_policy_speaks_of_has_its_counts_too(tmp_path: Path) -> None:
    s = stamp()
    socket = Socket(T0, actor(), 17, 3, 0, b"s")
    log = written(tmp_path / "log", s.record(socket, origin()), s.record(flow_count(9, flow=b"s"), origin()))
    found = tallied(log, rules(tmp_path, DENIES))
    assert (found.judged, found.not_judged) == (1, [])


def test_what_can_not_be_judged_again_is_said(tmp_path: Path) -> None:
    s = stamp()
    folded = replace(flow_count(50, flow=b"p" * 24), text="/tmp")
    entries: list[Record | Note] = [
        s.record(open_(), None),
        s.record(gap("budget", "open", 30)),
        s.record(gap("agent.down", "", -1)),
        s.record(folded, origin()),
        s.record(Many(T0, actor(), file("/data"), open_().access, b"m"), origin()),
        s.note("start"),
    ]
    log = written(tmp_path / "log", *entries)
    (log / f"activity-{BOOT[:8]}-9.jsonl").write_bytes(b'{"id": 7}\n[[[[\n')
    found = {(one.what, one.why): one.count for one in tallied(log, rules(tmp_path, DENIES)).not_judged}
    assert found == {
        ("open records", "nobody knows their container"): 1,
        ("open events", "not itemised: budget"): 30,
        ("all events", "not itemised: agent.down"): -1,
        ("counts of folders, networks and programs", "the kernel counted them as a whole"): 50,
        ("files below some folders", "from there on they were only counted"): -1,
        ("lines", "they are no records that this version can read"): 2,
    }


def test_the_runtimes_own_steps_are_no_finding(tmp_path: Path) -> None:
    record = stamp().record(open_("/etc/passwd", session=Session.RUNTIME), origin(), None)
    assert totals(tallied(written(tmp_path / "log", record), rules(tmp_path, DENIES))) == {}


def test_a_record_of_a_version_with_other_reasons_is_compared_by_its_words(tmp_path: Path) -> None:
    record = stamp().record(open_("/etc/passwd"), origin(), ALLOWED)
    log = written(tmp_path / "log", record)
    (path,) = log.iterdir()
    path.write_bytes(
        path.read_bytes()
        .replace(b'"outcome":"allowed"', b'"outcome":"violation"')
        .replace(b'"reason":"allowed"', b'"reason":"read.odd"')
    )
    found = tallied(log, rules(tmp_path, DENIES))
    assert [(row.change, row.before) for row in found.rows.values()] == [("changed", "read.odd")]


EVENTS = st.lists(st.one_of(*KINDS.values()), min_size=1, max_size=8).flatmap(
    lambda some: st.lists(st.tuples(st.sampled_from(some), keys, st.integers(0, 9)), min_size=1, max_size=30)
)


@settings(max_examples=200)
@given(policies(VERBS), policies(VERBS, "q"), EVENTS, st.booleans())
def test_judging_each_distinct_behaviour_once_gives_what_judging_every_record_gives(
    new: Policy, old: Policy, events: list[tuple[Event, bytes, int]], asks_old: bool
) -> None:
    s, records = stamp(), []
    for event, key, pid in events:
        by = replace(event.actor, pid=pid)  # type: ignore[union-attr]
        free = {"flow": key, "standing": False}
        other = replace(event, actor=by, time_ns=pid, **{name: value for name, value in free.items() if hasattr(event, name)})
        records.append(s.record(other, origin(), judge(build([old], 3), other, origin())))
    rejudge = Rejudge(Fixed(new), Fixed(old) if asks_old else None)  # type: ignore[arg-type]
    rejudge.lines(enumerate(map(msgspec.json.encode, records)), "log")
    assert {change: count[0] for change, count in totals(rejudge.tally).items()} == dict(one_by_one(records, new, old))
    assert rejudge.tally.judged == len(records)


GOOD = msgspec.json.encode(stamp().record(open_(), origin(), ALLOWED))


@given(st.binary(max_size=300), st.integers(0, len(GOOD)), st.binary(max_size=4))
def test_hostile_lines_are_no_records_and_end_nothing(line: bytes, at: int, put: bytes) -> None:
    rejudge = Rejudge(Fixed(NOTHING_DENIED))  # type: ignore[arg-type]
    rejudge.lines(
        enumerate((line, GOOD[:at] + put + GOOD[at + len(put) :], b"[" * 9000, b"{}", b'{"id":"x","where":{"boot":"b"}}')), "log"
    )
    rejudge.lines([(1, GOOD)], "log")
    assert rejudge.tally.judged >= 1
    assert any(one.what == "lines" for one in rejudge.tally.not_judged)


class Fixed:
    """One policy for every container."""

    def __init__(self, policy: Policy) -> None:
        self._compiled = build([policy], 3)

    def compiled(self, _: Container) -> Compiled:
        return self._compiled


def one_by_one(records: Sequence[Record], new: Policy, old: Policy) -> Counter[str]:
    words = [
        compare(*(judging.text_of(judge(build([policy], 3), one.event, origin())) for policy in (old, new))) for one in records
    ]
    return Counter(word for word in words if word)


def test_more_rows_and_flows_than_there_is_room_for_are_still_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, name in (
        (tally, "ROWS"),
        (tally, "FLOWS"),
        (judging, "KNOWN"),
        (judging, "CONTAINERS"),
        (judging, "WORDS"),
        (judging, "ORIGINS"),
    ):
        monkeypatch.setattr(part, name, 4)
    s = stamp()
    many = [
        s.record(open_("/etc/passwd", flow=b"%40d" % number), origin(container(f"web-{number}")), ALLOWED) for number in range(20)
    ]
    found = tallied(written(tmp_path / "log", *many), rules(tmp_path, DENIES))
    assert totals(found) == {"new": (20, 20)}
    assert len(found.rows) == 5
    assert any(row.container == "(others)" for row in found.rows.values())


def test_the_verb_says_what_is_new_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = stamp().record(open_("/etc/passwd"), origin(), ALLOWED)
    log = written(tmp_path / "log", record, stamp().record(gap()))
    assert replay(log, None, NOTHING, Asked(rules(tmp_path, DENIES))) == 1
    out, err = capsys.readouterr()
    assert "1 new findings" in out
    assert record.id in out
    assert "exec events: not itemised: ring.urgent" in out
    assert err == "", "no progress bar where there is no terminal"
    assert replay(log, None, NOTHING, Asked(rules(tmp_path, READS))) == 0
    (activity,) = log.glob("activity*")
    assert replay(activity, None, NOTHING, Asked(rules(tmp_path, DENIES))) == 1


def test_the_answer_for_programs_has_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = stamp().record(open_("/etc/passwd"), origin(), ALLOWED)
    assert whatif(written(tmp_path / "log", record), Asked(rules(tmp_path, DENIES), as_json=True)) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["records"], told["judged"], told["totals"]["new"]) == (1, 1, {"records": 1, "times": 1})
    assert told["rows"][0]["example"] == record.id


def test_hostile_text_is_shown_as_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "/etc/\x1b[2Jpasswd\n\u202e"
    record = stamp().record(open_(evil), origin(container("\x1b[31mweb")), ALLOWED)
    assert whatif(written(tmp_path / "log", record), Asked(rules(tmp_path, READS))) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked(), "name the policies"),
        (Asked(Path("/nowhere.yaml")), "no such file"),
        (Asked(Path("bad.yaml")), "unknown field"),
        (Asked(Path("good.yaml"), Path("/nowhere.yaml")), "no such file"),
    ],
)
def test_a_wrong_call_ends_with_2_and_a_hint(
    asked: Asked, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rules(tmp_path, READS.replace("read:", "reed:"), "bad.yaml")
    rules(tmp_path, READS, "good.yaml")
    assert replay(written(tmp_path / "log", stamp().record(open_(), origin())), None, NOTHING, asked) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "hint: " in err


def test_options_of_recordings_are_refused_for_logs_and_the_other_way_round(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = written(tmp_path / "log", stamp().record(open_(), origin()))
    assert replay(log, None, NOTHING | {"output": "none"}, Asked(rules(tmp_path, READS))) == 2
    recording = tmp_path / "recording"
    recording.write_bytes(b"vedette recording 1\n")
    assert replay(recording, None, NOTHING, Asked(rules(tmp_path, READS))) == 2
    assert capsys.readouterr().err.count("some of these options are not for it") == 2


def test_a_folder_without_a_log_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert whatif(tmp_path, Asked(rules(tmp_path, READS))) == 2
    assert "no log in it" in capsys.readouterr().err


def test_what_is_neither_a_log_nor_a_recording_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("hello")
    assert replay(tmp_path / "text", None, NOTHING, Asked()) == 2
    assert "not a recording" in capsys.readouterr().err
