"""The self-test sees its own child on every hook, or names the hook that is silent; and it leaves nothing behind."""

import pytest

from agent.sensor import selftest
from agent.sensor.selftest import NotReady, check
from model.event import Exec
from tests.sensor_python.kernel import Bench, wait


def test_the_hooks_of_this_kernel_fire(bench: Bench) -> None:
    check(bench.sensor, bench.flows, bench.source)


def test_what_others_did_meanwhile_is_handed_back(bench: Bench) -> None:
    with bench.container() as box:
        box.run("/bin/true")
        raws = check(bench.sensor, bench.flows, bench.source)
        execs = [it for it in bench.decoder.all(raws) if isinstance(it, Exec) and it.actor.container == box.cgroup]
        assert [it.argv for it in execs] == [("/bin/true",)]


def test_a_silent_hook_is_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "_ACTS", "import sys; open(sys.argv[1]).close()")
    with pytest.raises(NotReady, match=r"saw nothing within 1 s: cgroup/connect4 \(connect\)\nhint"):
        check(bench.sensor, bench.flows, bench.source, deadline_s=1)


def test_the_scratch_cgroup_is_gone(bench: Bench) -> None:
    check(bench.sensor, bench.flows, bench.source)
    wait(lambda: not list(bench.sensor.hierarchy.path.glob("vedette-selftest-*")), "no scratch cgroup is left")
