"""What keeps the agent from watching is said in one clear message; and it ends when it is told to."""

import signal
import time
from pathlib import Path

import pytest

from tests.containers.runc import MakeBox
from tests.containers.spec import Recipe
from tests.failures.agents import NO_LIBBPF, ORDINARY
from tests.failures.conftest import MakeAgent
from tests.failures.ledger import Ledger, wait

HURRY_S = 20.0  # no promise, only the time after which a test gives up


def test_a_second_agent_on_the_same_log_is_refused(start_agent: MakeAgent) -> None:
    first = start_agent()
    second = first.is_refused()
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr == (
        f"vedette: {first.log}: another agent writes its log there; stop it, or give this one a folder of its own\n"
    )
    assert first.runs


def test_without_root_it_says_so(make_agent: MakeAgent, folder: Path) -> None:
    agent = make_agent(log={"folder": str(folder / "log")})
    folder.chmod(0o777)
    agent.folder.chmod(0o755)
    refused = agent.is_refused(*ORDINARY)
    assert refused.returncode == 1
    assert "not root\nhint: run as root, or with CAP_BPF" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_log_folder_that_can_t_be_written_is_named(make_agent: MakeAgent, folder: Path) -> None:
    agent = make_agent(log={"folder": str(folder / "log")})
    agent.folder.chmod(0o755)
    refused = agent.is_refused(*ORDINARY)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"vedette: {folder / 'log'}: Permission denied\nhint: the agent needs root, and a log folder that it can write\n"
    )


def test_without_libbpf_the_package_is_named(make_agent: MakeAgent) -> None:
    refused = make_agent().is_refused(*NO_LIBBPF)
    assert refused.returncode == 1
    assert "apt install libbpf1" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_port_that_is_taken_is_named(start_agent: MakeAgent, make_agent: MakeAgent) -> None:
    running = start_agent()
    taken = wait(running.port, "its port is told")
    refused = make_agent(metrics={"port": taken}).is_refused()
    assert refused.returncode == 2
    assert f"127.0.0.1:{taken}" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("after_s", [0.0, 1.0, 2.0])
def test_sigterm_while_it_starts_ends_it(make_agent: MakeAgent, after_s: float) -> None:
    agent = make_agent()
    process = agent.begin()
    wait((agent.log / "agent-id").exists, "it has begun")
    time.sleep(after_s)
    told_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(HURRY_S)
    assert process.returncode == 0, agent.said
    assert time.monotonic() - told_s < HURRY_S
    assert len(agent.notes("stop")) == 1


def test_sigterm_under_load_drains_and_ends(start_agent: MakeAgent, box: MakeBox) -> None:
    agent = start_agent()
    one = box(Recipe(args=("sh", "-c", "while :; do bulk exec-storm 2000; done")))
    wait(lambda: Ledger(agent.log, one.name).itemised("exec") > 100, "the load is there")
    told_s = time.monotonic()
    assert agent.end() == 0, agent.said
    assert time.monotonic() - told_s < HURRY_S
    (stop,) = agent.notes("stop")
    execs = [record for record in Ledger(agent.log, one.name).records if record.event.time_ns > stop.time_ns - 10**9]
    assert execs
