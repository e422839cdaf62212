"""Stock is taken again when the policies change: of everything that runs by then, and without counting anything."""

from model.event import Event, Exec, Load, Net, Open, Session
from tests.sensor_change.watched import Watched
from tests.sensor_standing.conftest import CODE, Stock


def again(stock: Stock) -> list[Event]:
    """What one more stock-taking tells."""
    stock.kernel.events()  # what happened before
    events: list[Event] = []
    for raws in stock.kernel.sensor.stock_again():
        events += stock.kernel.read(raws)
        events += stock.kernel.events()
    return [*events, *stock.kernel.events()]


def of(events: list[Event], watched: Watched, kind: type[Event]) -> list[Event]:
    return [it for it in events if isinstance(it, kind) and it.actor.container == watched.box.cgroup_id]  # type: ignore[union-attr]


def test_every_process_is_told_also_one_that_came_later(stock: Stock) -> None:
    running = stock.box.box.popen("/bin/busybox", "sh", "-c", "echo ready; read line; exit 0")
    assert running.stdout
    assert running.stdout.readline() == b"ready\n"
    execs = of(again(stock), stock.box, Exec)
    assert sorted(it.actor.pid for it in execs) == sorted(stock.box.box.processes())  # type: ignore[union-attr]
    assert {it.standing for it in execs} == {True}  # type: ignore[union-attr]
    assert {it.actor.session for it in execs} == {Session.STANDING, Session.EXEC}  # type: ignore[union-attr]
    assert {it.actor.comm for it in execs} == {"sleep", "linger", "busybox"}  # type: ignore[union-attr]
    running.communicate(b"\n", timeout=20)


def test_code_and_sockets_that_are_flows_are_neither_told_nor_counted(stock: Stock) -> None:
    flows = stock.kernel.flows
    before = {key: flows.count(key) for key in counted(stock)}
    assert before
    events = again(stock)
    assert of(events, stock.box, Load) == of(events, stock.box, Net) == []
    assert {key: flows.count(key) for key in before} == before


def test_what_the_kernel_has_forgotten_is_told_again(stock: Stock) -> None:
    for key in counted(stock):
        assert stock.kernel.sensor.map("flows").delete(key)
    events = again(stock)
    assert {it.file.path for it in of(events, stock.box, Load)} == {CODE}  # type: ignore[union-attr]
    assert {it.port for it in of(events, stock.box, Net)} == {7001, 7002, 7003}  # type: ignore[union-attr]
    assert {it.standing for it in (*of(events, stock.box, Load), *of(events, stock.box, Net))} == {True}  # type: ignore[union-attr]


def test_other_events_of_a_process_go_on_meanwhile(stock: Stock) -> None:
    walk = stock.kernel.sensor.stock_again()
    next(walk)
    stock.box.saw(Open)
    stock.linger.told("open /etc/hosts")
    assert stock.linger.reads() == "done"
    assert [it.file.path for it in stock.box.saw(Open)] == ["/etc/hosts"]
    del walk
    assert stock.kernel.sensor._object.variable("stock_again") == 0


def counted(stock: Stock) -> list[bytes]:
    """The flows that the first stock-taking made."""
    return [it.flow for it in stock.events if isinstance(it, Load | Net) and it.actor.container == stock.box.box.cgroup_id]
