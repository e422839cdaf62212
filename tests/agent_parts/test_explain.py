"""`vedette explain`: each rule that was tried, why it matched or not, which was decisive; readable on 80 columns."""

import json
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner, Result

from agent.__main__ import app
from model.event import Event
from model.policy import parse
from model.record import Record
from model.verdict import Verdict
from tests.model.test_lint import document
from tests.outputs.builders import ALLOWED, BOOT, exec_, gap, net, open_, origin, stamp

LONG = "/opt/" + "/".join(["a-rather-long-name"] * 8)
RULES = document(f"read:\n    allow: [/usr/**, {LONG}]\n    deny: [/etc/shadow, '/etc/pass*']\n  exec: {{allow: [image]}}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(RULES)
    return tmp_path


def explain(folder: Path, event: Event, *words: str, verdict: Verdict | None = None, columns: int = 80) -> Result:
    """What the verb says of a log with this one record."""
    record = stamp().record(event, origin(), verdict)
    assert isinstance(record, Record)
    (folder / f"{record.id.split('/')[-2]}-{BOOT[:8]}-0.jsonl").write_bytes(msgspec.json.encode(record) + b"\n")
    call = ["explain", record.id, "--log", str(folder), "--policies", str(folder / "rules.yaml"), *words]
    return CliRunner().invoke(app, call, env={"COLUMNS": str(columns)})


def test_each_rule_is_told_with_why_it_matches_or_not_and_the_decisive_one_is_marked(folder: Path) -> None:
    told = explain(folder, open_("/etc/passwd"))
    assert told.exit_code == 0
    lines = [line.strip() for line in told.stdout.splitlines()]
    assert lines[1].startswith("read.denied: deny /etc/pass*")
    assert "► deny   /etc/pass*" in lines
    assert lines[lines.index("► deny   /etc/pass*") + 1].startswith("the path matches (")
    assert "· deny   /etc/shadow" in lines
    assert "· allow  /usr/**" in lines
    assert lines[lines.index("· allow  /usr/**") + 1].startswith("the path is another (")
    assert lines[-1] == "► decisive   ✓ matches   · does not"


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_cut_from_the_rules(folder: Path, columns: int) -> None:
    told = explain(folder, open_(LONG + "/" + "x" * 200), columns=columns)
    assert max(map(cell_len, told.stdout.splitlines())) <= columns
    squeezed = "".join(told.stdout.split())
    assert f"·allow{LONG}" in squeezed
    assert LONG + "/" + "x" * 200 in squeezed


def test_where_no_rule_matches_the_list_that_has_no_such_entry_is_named(folder: Path) -> None:
    told = explain(folder, open_("/srv/x")).stdout
    source = next(iter(parse(RULES, str(folder / "rules.yaml")))).verbs["read"].source
    assert f"read.not_allowed: no allow list has it; the nearest list is at {source}" in " ".join(told.split())
    assert told.endswith("no rule is decisive\n")


def test_what_the_policies_then_said_is_told_where_they_say_something_else_now(folder: Path) -> None:
    told = explain(folder, open_("/etc/passwd"), verdict=ALLOWED).stdout
    assert "the record says allowed rules/web.yaml:5:3: the policies were others" in " ".join(told.split())


def test_what_no_policy_speaks_of_has_no_rules(folder: Path) -> None:
    told = explain(folder, net()).stdout
    assert "no policy mentions it" in told
    assert "►" not in told


def test_what_is_of_no_kind_that_is_judged_says_so(folder: Path) -> None:
    told = explain(folder, gap())
    assert (told.exit_code, "no verb applies to this event" in told.stdout) == (0, True)


def test_json_has_the_record_and_every_rule(folder: Path) -> None:
    told = json.loads(explain(folder, exec_("/bin/sh"), "--json").stdout)
    assert told["record"]["event"]["file"]["path"] == "/bin/sh"
    (tried,) = told["explanation"]["tried"]
    assert (tried["text"], tried["matched"], tried["decisive"], tried["why"]) == ("image", True, True, "from the image")
    assert told["explanation"]["verdict"]["reason"] == "allowed"
