"""`vedette replay`: what a recording says of its containers is all that a replay has to know who they were."""

from pathlib import Path
from typing import Any

import pytest

from agent.lifecycle import fact_of
from agent.node.containers import Answer
from agent.node.oci import State
from agent.outputs.reading import read
from agent.sensor.recording import LOST, Header, Recorder
from agent.sensor.source import Channel
from agent.verbs.recording import replay
from model.event import Exec
from model.origin import Container
from model.record import Record
from tests.sensor_python.records import exec_

BOX = 4711  # the container of records.ACTOR
WEB = Container(BOX, "/default/web", "web1", "web", "box:1", "runc")


def replayed(folder: Path, fact: dict[str, Any]) -> list[Record]:
    """The execs of a recording that holds one decision and one exec."""
    recorder = Recorder(folder / "recording", Header("b" * 32, 5), 1 << 20)
    recorder.fact(fact)
    recorder.write(Channel.URGENT, [exec_()])
    recorder.close()
    policies = folder / "rules"
    policies.mkdir()
    given = {"log.folder": folder / "log", "policies.folder": policies, "output": "none"}
    assert replay(folder / "recording", None, given) == 0
    return [entry for entry in read(folder / "log") if isinstance(entry, Record) and isinstance(entry.event, Exec)]


def test_a_container_that_ran_before_the_recording_keeps_its_name(tmp_path: Path) -> None:
    (record,) = replayed(tmp_path, fact_of(Answer(BOX, State.CONTAINER, WEB)))
    assert record.origin is not None
    assert (record.origin.container.name, record.origin.container.image) == ("web", "box:1")


def test_what_the_recording_does_not_hold_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replayed(tmp_path, {LOST: 3})
    assert f"{tmp_path}/recording: 3 records are missing in it" in capsys.readouterr().err


def test_one_that_had_no_record_is_unidentified_by_its_path(tmp_path: Path) -> None:
    nobody = Container(BOX, "/kubepods/podx/c", "", "", "", "unidentified")
    (record,) = replayed(tmp_path, fact_of(Answer(BOX, State.UNIDENTIFIED, nobody)))
    assert record.origin is not None
    assert (record.origin.container.runtime, record.origin.container.cgroup_path) == ("unidentified", "/kubepods/podx/c")
