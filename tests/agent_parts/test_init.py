"""`vedette init`: which container is meant, where the policy goes, and what is said when there is none."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from agent.verbs.check import At, check
from agent.verbs.init import init
from agent.verbs.whatif import Asked, whatif
from model.event import Session
from model.policy import parse
from model.problem import Code
from model.record import Record
from tests.outputs.builders import container, exec_, gap, in_pod, net, open_, origin, stamp, written

POD = in_pod("web-5d9c7b7d4f-x2x9q")


def a_log(folder: Path, *more: Record) -> Path:
    s = stamp()
    events = (exec_(), open_("/srv/data", flow=b"a"), net(), exec_("/bin/strange", session=Session.EXEC))
    return written(folder / "log", *(s.record(event, origin()) for event in events), s.record(gap()), *more)


def called(name: str, log: Path, output: Path | None = None, *, as_json: bool = False) -> int:
    return init(name, None, {"log.folder": log}, output, as_json=as_json)


@pytest.mark.parametrize("name", ["web", "ab" * 32, "ababab"])
def test_a_container_is_named_by_its_name_or_the_beginning_of_its_id(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(name, a_log(tmp_path)) == 0
    (policy,) = parse(capsys.readouterr().out, "p.yaml")
    assert policy.id == "web"
    assert policy.selects(container())


@pytest.mark.parametrize("name", ["shop/web", "shop/web-5d9c7b7d4f-x2x9q/web"])
def test_a_pod_s_container_is_named_with_its_namespace(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = written(tmp_path / "log", stamp().record(exec_(), origin(POD)))
    assert called(name, log) == 0
    (policy,) = parse(capsys.readouterr().out, "p.yaml")
    assert policy.id == "shop/web"
    assert policy.selects(in_pod("web-5d9c7b7d4f-zzzzz"))
    assert not policy.selects(container())


def test_the_file_is_clean_for_check_and_nothing_new_in_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, file = a_log(tmp_path), tmp_path / "web.yaml"
    assert called("web", log, file) == 0
    assert check([file], At(), as_json=True, strict=False) == 0
    assert [one["code"] for one in json.loads(capsys.readouterr().out)] == [Code.ONLY_LEARNS], "as it is meant to"
    strict = tmp_path / "strict.yaml"
    strict.write_text(file.read_text().replace("mode: learn", "mode: alert"))
    assert check([strict], At(), as_json=False, strict=True) == 0
    capsys.readouterr()
    assert whatif(log, Asked(strict, as_json=True)) == 1
    told = json.loads(capsys.readouterr().out)
    assert [row["subject"] for row in told["rows"]] == ["/bin/strange"], "what was entered from outside is no part of it"


def test_the_same_records_give_the_same_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = a_log(tmp_path)
    texts = []
    for _ in range(2):
        assert called("web", log) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "# partial: " in texts[0], "a gap of that time"
    assert "#   3 exec events: ring.urgent" in texts[0]


def test_programs_get_the_records_of_each_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("web", a_log(tmp_path), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    (rule,) = (rule for rule in told["rules"] if rule["verb"] == "exec")
    assert rule["what"] == "/bin/sh"
    assert rule["ids"] == [f"agent-1/{stamp().where.boot}/activity/0"]
    assert parse(told["policy"], "p.yaml")
    assert told["facts"]["records"] == 4


def test_one_file_of_a_log_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (activity,) = a_log(tmp_path).glob("activity*")
    assert called("web", activity) == 0
    assert "/bin/sh" in capsys.readouterr().out


def test_a_file_that_exists_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    assert called("web", a_log(tmp_path), tmp_path / "mine.yaml") == 2
    assert (tmp_path / "mine.yaml").read_text() == "mine"
    assert "mine.yaml" in capsys.readouterr().err


def test_a_name_of_several_workloads_is_refused_with_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = stamp().record(exec_(), origin(replace(POD, image="other:1", id="cd" * 32)))
    assert called("web", a_log(tmp_path, other)) == 2
    err = capsys.readouterr().err
    assert "several workloads" in err
    assert "shop/web-5d9c7b7d4f-x2x9q/web (other:1)" in err


def test_a_name_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("wep", a_log(tmp_path)) == 2
    err = capsys.readouterr().err
    assert "no record of such a container" in err
    assert 'did you mean "web"' in err
    assert called("\x1b[2J", a_log(tmp_path)) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_folder_without_a_log_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called("web", tmp_path) == 2
    assert "no log in it" in capsys.readouterr().err
