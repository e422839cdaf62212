"""Repeated changes are only counted, exactly; unique ones stay in their budget; what is denied passes it."""

from collections.abc import Iterator

import pytest

from agent.sensor import layout, names
from agent.sensor.allowances import DEFAULTS, Allowance
from agent.sensor.flows import Prefix
from model.event import Many, Operation
from tests.sensor_change.watched import Watched, said

OP = Operation
KIND = layout.KIND_CHANGE
TIMES = 200


@pytest.fixture
def narrow(box: Watched) -> Iterator[Watched]:
    """The box with room for 20 flows of changes more than it has."""
    usual = DEFAULTS[KIND]
    box.kernel.flows.allow(box.box.cgroup_id, KIND, Allowance(box.budget(KIND, "flows") + 20, usual.rate, usual.burst))
    yield box
    box.kernel.flows.allow(box.box.cgroup_id, KIND, usual)


def test_repeated_changes_are_counted_exactly(box: Watched) -> None:
    changes = box.shell(
        f"echo x >/opt/f; i=0; while [ $i -lt {TIMES} ]; do"
        " mkdir /opt/lock; rmdir /opt/lock; ln -s x /opt/s; rm /opt/s; chmod 700 /opt/f; mv /opt/f /opt/g; mv /opt/g /opt/f;"
        " i=$((i+1)); done"
    )
    assert said(changes) == [
        (OP.MKDIR, "/opt/lock", None),
        (OP.RMDIR, "/opt/lock", None),
        (OP.SYMLINK, "/opt/s", None),
        (OP.UNLINK, "/opt/s", None),
        (OP.CHMOD, "/opt/f", None),
        (OP.RENAME, "/opt/f", "/opt/g"),
        (OP.RENAME, "/opt/g", "/opt/f"),
    ]
    assert {box.count(it) for it in changes} == {TIMES}


def test_a_flood_of_unique_names_is_counted_whole_within_its_quota(narrow: Watched) -> None:
    before = narrow.total(KIND)
    changes = narrow.shell("mkdir /opt/flood; i=0; while [ $i -lt 300 ]; do mkdir /opt/flood/$i; i=$((i+1)); done")
    assert len(changes) == 20
    assert narrow.total(KIND) - before == 301


def test_beyond_the_quota_the_folder_is_named_once(narrow: Watched) -> None:
    narrow.kernel.events()
    narrow.runs("sh", "-c", "mkdir /opt/many; i=0; while [ $i -lt 100 ]; do mkdir /opt/many/$i; i=$((i+1)); done")
    assert [it.file.path for it in narrow.saw(Many)] == ["/opt/many"]


def rename_below(box: Watched, folder: str, device: int) -> Prefix:
    """All renames below a folder of the writable layer."""
    hashed = names.hash_names(box.kernel.sensor.seed, folder.encode())
    return Prefix(box.box.cgroup_id, hashed, device, KIND << 24 | layout.LAYER_WRITABLE << 16 | layout.OPERATION_RENAME)


def test_renames_within_a_judged_folder_are_only_counted(box: Watched) -> None:
    (made,) = box.does("mkdir", "/opt/judged")
    prefix = rename_below(box, "/opt/judged", made.file.device)
    box.kernel.flows.install(prefix)
    script = "cd /opt/judged; i=0; while [ $i -lt 50 ]; do echo x >$i; mv $i done-$i; i=$((i+1)); done"
    assert box.shell(script) == []
    counted = box.kernel.flows.uninstall(prefix)
    assert counted is not None
    assert counted.count == 50


def test_a_rename_out_of_a_judged_folder_is_told(box: Watched) -> None:
    (made,) = box.does("mkdir", "/opt/left")
    prefix = rename_below(box, "/opt/left", made.file.device)
    box.kernel.flows.install(prefix)
    assert said(box.shell("echo x >/opt/left/a; mv /opt/left/a /etc/a")) == [(OP.RENAME, "/opt/left/a", "/etc/a")]
    counted = box.kernel.flows.uninstall(prefix)
    assert counted is None or counted.count == 0


def test_what_is_denied_is_told_beyond_every_budget(narrow: Watched) -> None:
    (seen, *_) = narrow.shell("i=0; while [ $i -lt 50 ]; do mkdir /opt/spent-$i; i=$((i+1)); done; echo x >/opt/new")
    assert narrow.does("mkdir", "/opt/told-no-more") == []
    hashed = names.hash_names(narrow.kernel.sensor.seed, b"/etc/guarded")
    narrow.kernel.flows.guard_file(narrow.box.cgroup_id, hashed, seen.file.device)
    assert said(narrow.does("rename", "/opt/new", "/etc/guarded")) == [(OP.RENAME, "/opt/new", "/etc/guarded")]
    assert said(narrow.does("unlink", "/etc/guarded")) == [(OP.UNLINK, "/etc/guarded", None)]
