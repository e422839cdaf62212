"""Full rings, full maps, spent quotas: nothing is lost in silence, and nobody else pays."""

import pytest

from model.event import Many, Open
from tests.containers.runc import Box, MakeBox
from tests.containers.spec import Recipe
from tests.failures.agents import Agent
from tests.failures.conftest import MakeAgent, policy
from tests.failures.ledger import Ledger

MIB = 1 << 20
SMALLEST = {"memory_bytes": 4 * MIB, "sweep_interval_s": 0.5}  # rings of 512 and 256 KiB, some ten thousand flows
UNLIMITED = {"flows": 1 << 20, "rate": 1 << 20, "burst": 1 << 20}
NO_FLOWS_MORE = {"flows": 100, "rate": 10_000, "burst": 10_000}
# Of files below the folder some are denied: no verdict holds for the folder as a whole, so each file is a flow of its own.
EACH_FILE = policy("each-file", "write: {deny: ['/**/never-*']}")  # no plain name in it: no tripwire


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests are about is full in the kernel; a log's queue that is full has its own (test_disk.py)."""
    monkeypatch.setenv("VEDETTE_LOG_ACTIVITY_QUEUE_BYTES", str(64 * MIB))


def told(agent: Agent, box: Box) -> Ledger:
    return Ledger(agent.log, box.name)


def paths(ledger: Ledger) -> list[str]:
    return [event.file.path for event in ledger.events(Open)]


def floods(ledger: Ledger) -> set[str]:
    """Fingerprints of its flood findings."""
    return {one.fingerprint for one in ledger.findings if one.reason == "flood"}


def another_is_unaffected(agent: Agent, other: Box) -> bool:
    ledger = told(agent, other)
    return "/etc/secret" in paths(ledger) and not floods(ledger) and not ledger.events(Many)


def test_while_the_agent_is_stopped_nothing_is_lost_in_silence(start_agent: MakeAgent, box: MakeBox) -> None:
    agent, one = start_agent(sensor=SMALLEST), box(Recipe())
    with agent.stopped():
        one.exec("/usr/bin/bulk", "open-cold", "4000")
        one.exec("/usr/bin/bulk", "exec", "3000")
    assert agent.end() == 0, agent.said
    ledger = told(agent, one)
    assert len({path for path in paths(ledger) if path.startswith("/data/")}) == 2000, "flows that no ring had room for"
    assert ledger.opens_below("/data") == 4000
    assert ledger.gaps("budget.unsent") > 0
    assert 0 < ledger.itemised("exec") < 3000
    assert ledger.total("exec") == 3000 + len(("sleep", "bulk", "bulk"))
    assert ledger.total("exit") == 3000 + len(("bulk", "bulk"))


def test_a_full_flow_map_counts_at_the_folder(start_agent: MakeAgent, box: MakeBox) -> None:
    agent = start_agent({"a.yaml": EACH_FILE}, sensor=SMALLEST, budgets={"open": UNLIMITED, "change": UNLIMITED})
    one = box(Recipe())
    one.exec("/usr/bin/bulk", "distinct", "20000", "/opt")
    assert agent.end() == 0, agent.said
    ledger = told(agent, one)
    assert 0 < ledger.itemised("open") < 20_000
    assert ledger.opens_below("/opt") == 20_000, agent.said
    assert ledger.events(Many)


def test_a_spent_quota_counts_at_the_folder_and_is_one_flood(start_agent: MakeAgent, box: MakeBox) -> None:
    agent = start_agent(budgets={"open": NO_FLOWS_MORE})
    one, two = box(Recipe()), box(Recipe())
    one.exec("/usr/bin/bulk", "open-cold", "4000")
    two.exec("cat", "/etc/secret")
    assert agent.end() == 0, agent.said
    ledger = told(agent, one)
    assert ledger.itemised("open") == NO_FLOWS_MORE["flows"]
    assert ledger.opens_below("/data") == 4000
    assert {event.file.path for event in ledger.events(Many)} >= {f"/data/d{number:02d}" for number in range(1, 20)}
    assert len(floods(ledger)) == 1
    assert another_is_unaffected(agent, two)


def test_a_flood_of_new_files_stays_in_its_budget_and_what_is_not_itemised_is_counted(
    start_agent: MakeAgent, box: MakeBox
) -> None:
    agent = start_agent()
    one, two = box(Recipe()), box(Recipe())
    one.exec("/usr/bin/bulk", "distinct", "40000", "/opt")
    two.exec("cat", "/etc/secret")
    assert agent.end() == 0, agent.said
    ledger = told(agent, one)
    assert ledger.itemised("open") <= 8192
    assert ledger.opens_below("/opt") == 40_000
    assert ledger.gaps("ring") == ledger.gaps("budget") == 0
    assert len(floods(ledger)) <= 1
    assert another_is_unaffected(agent, two)
