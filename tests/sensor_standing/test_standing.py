"""What ran before the agent is found by its stock-taking, once, and watched from then on."""

from pathlib import Path

from model.event import Direction, Exec, Layer, Load, Mount, Net, Open, Protocol, Session
from tests.sensor_change.watched import Watched
from tests.sensor_standing.conftest import CODE, LINGER, Stock


def execs(stock: Stock, watched: Watched) -> list[Exec]:
    return [it for it in stock.events if isinstance(it, Exec) and it.actor.container == watched.box.cgroup_id]


def linger_exec(stock: Stock) -> Exec:
    (found,) = [it for it in execs(stock, stock.box) if it.file.path == LINGER]
    return found


def test_every_process_of_a_container_is_told_once(stock: Stock) -> None:
    found = {it.actor.pid: it for it in execs(stock, stock.box)}
    assert sorted(found) == sorted(stock.box.box.processes())
    assert len(execs(stock, stock.box)) == len(found)
    assert {(it.standing, it.actor.session) for it in found.values()} == {(True, Session.STANDING)}


def test_of_many_processes_none_is_lost_or_told_twice(stock: Stock) -> None:
    assert sorted(it.actor.pid for it in execs(stock, stock.crowd)) == sorted(stock.crowd.box.processes())


def test_its_program_is_told_as_an_exec_would(stock: Stock) -> None:
    main = next(it for it in execs(stock, stock.box) if it.actor.pid == stock.box.box.pid)
    assert (main.file.path, main.file.layer, main.actor.comm) == ("/bin/busybox", Layer.IMAGE, "sleep")
    linger = linger_exec(stock)
    assert (linger.file.layer, linger.cwd, linger.uid, linger.argv) == (Layer.WRITABLE, "/", 0, ())
    assert linger.argv_bytes == len(f"{LINGER} {CODE} ")
    assert linger.capabilities


def test_its_start_is_the_one_that_proc_has(stock: Stock) -> None:
    pid = stock.box.box.pid
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    main = next(it for it in execs(stock, stock.box) if it.actor.pid == pid)
    assert main.actor.started_ns // 10_000_000 == ticks


def test_the_mount_table_is_noted_before_any_file_is_named(stock: Stock) -> None:
    mounts = [it for it in stock.events if isinstance(it, Mount) and it.container == stock.box.box.cgroup_id]
    assert {"/", "/proc", "/dev", "/dev/shm"} <= {it.point for it in mounts}
    assert [it.point for it in mounts if it.is_root] == ["/"]
    assert stock.events.index(mounts[-1]) < stock.events.index(linger_exec(stock))


def test_mapped_code_that_is_not_from_the_image_is_told(stock: Stock) -> None:
    loads = [it for it in stock.events if isinstance(it, Load) and it.actor.container == stock.box.box.cgroup_id]
    assert [(it.file.path, it.file.layer, it.standing) for it in loads] == [(CODE, Layer.WRITABLE, True)]
    assert loads[0].actor.pid == linger_exec(stock).actor.pid


def test_sockets_are_told_by_what_they_are(stock: Stock) -> None:
    nets = [it for it in stock.events if isinstance(it, Net) and it.actor.container == stock.box.box.cgroup_id]
    assert {it.standing for it in nets} == {True}
    assert {it.actor.comm for it in nets} == {"linger"}
    assert {(it.direction, it.protocol, it.address, it.port) for it in nets} == {
        (Direction.LISTEN, Protocol.TCP, "127.0.0.1", 7001),
        (Direction.EGRESS, Protocol.TCP, "127.0.0.1", 7001),
        (Direction.EGRESS, Protocol.UDP, "127.0.0.1", 7002),
        (Direction.BIND, Protocol.UDP, "127.0.0.1", 7003),
    }


def test_a_container_without_a_pid_namespace_has_its_main_process_too(stock: Stock) -> None:
    (main,) = execs(stock, stock.shared)
    assert (main.actor.pid, main.file.path, main.file.layer) == (stock.shared.box.pid, "/bin/busybox", Layer.IMAGE)


def test_what_is_the_hosts_is_left_alone(stock: Stock) -> None:
    assert execs(stock, stock.host) == []
    stock.host.runs("cat", "/etc/hostname")
    assert stock.host.saw(Open) == []


def test_a_second_stock_taking_finds_nothing_new(stock: Stock) -> None:
    mine = {it.box.cgroup_id for it in (stock.box, stock.shared, stock.host, stock.crowd)}
    found = [it for it in stock.again if isinstance(it, Exec | Load | Net) and it.actor.container in mine]
    assert found == []


def test_who_enters_later_is_no_second_main_process(stock: Stock) -> None:
    for box in (stock.box, stock.shared):
        box.runs("true")
        (entered,) = box.saw(Exec)
        assert (entered.actor.session, entered.standing) == (Session.EXEC, False)


def test_a_second_thread_is_watched_like_the_first(stock: Stock) -> None:
    stock.box.saw(Open)
    stock.linger.told("open /etc/hosts")
    assert stock.linger.reads() == "done"
    (opened,) = stock.box.saw(Open)
    assert (opened.file.path, opened.actor.pid, opened.actor.session) == (
        "/etc/hosts",
        linger_exec(stock).actor.pid,
        Session.STANDING,
    )


def test_what_a_standing_process_starts_stays_standing_and_has_it_as_ancestor(stock: Stock) -> None:
    before = linger_exec(stock).actor
    stock.linger.told("exec /bin/true")
    stock.linger.running.wait(20)
    (replaced,) = stock.box.saw(Exec)
    assert (replaced.file.path, replaced.actor.session, replaced.actor.pid) == ("/bin/busybox", Session.STANDING, before.pid)
    assert (replaced.actor.ancestor_pid, replaced.actor.ancestor_started_ns) == (before.pid, before.started_ns)
