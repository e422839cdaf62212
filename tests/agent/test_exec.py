"""Every way to replace a program is one record, with what was really executed."""

from model.event import Layer
from tests.agent.sight import Sight, exec_of
from tests.containers.runc import Box

QUIET = "/usr/bin/quiet"


def test_a_program_is_recorded_once(agent: Sight, plain: Box) -> None:
    plain.attack("execve", QUIET)
    assert exec_of(agent, plain, QUIET).file.layer is Layer.IMAGE
