"""What the agent could not take in is told, once."""

from agent.failures import Failures


def test_each_failure_is_told_once_by_its_place() -> None:
    counts = {"agent.decode": 0, "agent.pipeline": 2}
    failures = Failures({place: lambda place=place: counts[place] for place in counts})  # type: ignore[misc]
    (first,) = failures.read()
    assert (first.place, first.container, first.count) == ("agent.pipeline", 0, 2)
    assert failures.read() == []
    counts["agent.decode"] = 5
    (second,) = failures.read()
    assert (second.place, second.count) == ("agent.decode", 5)
    assert first.time_ns <= second.began_ns <= second.time_ns
