"""What the agent notes of a change of the policies: whole counts, bounded lists, words that people read."""

from agent.account import NAMES, change, rejudged
from agent.outputs.lines import UNICODE, line_of
from agent.policies import Change, Set
from agent.rejudge import RESULTS, Done
from agent.verbs.status import _policy_lines
from tests.outputs.builders import stamp

SET = Set((), 1)


def test_a_change_names_policies_up_to_a_bound_and_counts_all() -> None:
    added = tuple(f"p{number:04}" for number in range(NAMES + 25))
    says = change(Change(1, 2, added, ("old",), (), SET), 80)
    assert (says["before"], says["generation"], says["policies"]) == (1, 2, 80)
    assert (says["added"], says["removed"], says["changed"]) == (list(added[:NAMES]), ["old"], [])
    assert says["counts"] == {"added": NAMES + 25, "removed": 1, "changed": 0}


def test_what_became_of_everything_is_said_with_the_time_that_it_took() -> None:
    done = Done(Change(1, 2, (), (), (), SET), {**dict.fromkeys(RESULTS, 0), "same": 7, "news": 2}, 0.12345)
    assert rejudged(done) == {
        "generation": 2, "same": 7, "violation": 0, "allowed": 0, "news": 2, "standing": 0, "took_s": 0.123,
    }  # fmt: skip
    assert rejudged(Done(done.change, done.results, 1.0, "OSError: no"))["failed"] == "OSError: no"


def test_both_are_lines_on_the_screen() -> None:
    new = change(Change(1, 2, ("web",), ("old",), (), SET), 2)
    done = rejudged(Done(Change(1, 2, (), (), (), SET), {**dict.fromkeys(RESULTS, 0), "violation": 3}, 0.1))
    lines = [line_of(stamp().note(kind, says), UNICODE, 150) for kind, says in (("policies", new), ("rejudged", done))]
    assert "2 policies in force: added web, removed old" in lines[0]
    assert "all that was known is judged again: 3 now forbidden" in lines[1]


def test_status_says_that_changes_are_looked_for_and_why() -> None:
    seen = {"count": 1, "generation": 2, "errors": [], "watched": {"by": "polling", "why": "inotify: No space left on device"}}
    assert "✗ polled once a second: inotify: No space left on device" in "\n".join(_policy_lines(seen))
    assert "polled" not in "\n".join(_policy_lines({**seen, "watched": {"by": "inotify", "why": ""}}))
