"""Which name a changed file is told by: the container's own, whatever the workload did to its view of the files."""

from pathlib import Path

from model.event import Flag, Layer, Operation
from tests.sensor_change.watched import Watched, proven, said

OP = Operation


def test_a_file_of_the_image_is_removed_under_its_name(box: Watched) -> None:
    (change,) = box.does("unlink", "/etc/hostname")
    assert said([change]) == [(OP.UNLINK, "/etc/hostname", None)]
    assert (change.file.layer, change.file.inode) == (Layer.IMAGE, 0)
    assert proven(change)


def test_a_whole_folder_of_the_image_is_removed_name_by_name(box: Watched) -> None:
    files = {f"/data/d01/{it.name}" for it in (box.box.lower / "data/d01").iterdir()}
    changes = box.shell("rm -r /data/d01")
    removed = {it.file.path for it in changes if it.operation is OP.UNLINK}
    assert removed == files
    assert [it.file.path for it in changes if it.operation is OP.RMDIR] == ["/data/d01"]


def test_a_hard_link_to_a_file_of_the_image_has_both_names(box: Watched) -> None:
    (change,) = box.does("link", "/etc/passwd", "/etc/passwd-link")
    assert said([change]) == [(OP.LINK, "/etc/passwd", "/etc/passwd-link")]
    assert proven(change)


def test_a_file_of_the_image_is_renamed_under_both_names(box: Watched) -> None:
    (change,) = box.does("rename", "/etc/hosts", "/etc/other")
    assert said([change]) == [(OP.RENAME, "/etc/hosts", "/etc/other")]


def test_of_a_file_with_two_names_the_removed_one_is_told(box: Watched) -> None:
    for place in ("/opt", "/vol", "/dev/shm"):
        box.shell(f"echo x >{place}/first; ln {place}/first {place}/second; cat {place}/first {place}/second >/dev/null")
        assert said(box.does("unlink", f"{place}/first")) == [(OP.UNLINK, f"{place}/first", None)]
        assert said(box.does("unlink", f"{place}/second")) == [(OP.UNLINK, f"{place}/second", None)]


def test_chroot_and_bind_mounts_change_no_name(box: Watched) -> None:
    box.shell("mkdir -p /opt/cage /opt/view; cp /usr/bin/attack /opt/cage/attack")
    assert said(box.shell("chroot /opt/cage /attack mkdir /etc")) == [(OP.MKDIR, "/opt/cage/etc", None)]
    box.does("mount", "/opt/cage", "/opt/view")
    assert said(box.does("rename", "/opt/view/etc", "/opt/view/other")) == [(OP.RENAME, "/opt/cage/etc", "/opt/cage/other")]
    box.does("umount", "/opt/view")


def test_long_names_are_whole(box: Watched) -> None:
    deep = "/opt/" + "/".join(letter * 200 for letter in "abcdef")
    box.shell(f"mkdir -p {deep}; echo x >{deep}/{'g' * 255}")
    (change,) = box.does("rename", f"{deep}/{'g' * 255}", f"{deep}/{'h' * 255}")
    assert said([change]) == [(OP.RENAME, f"{deep}/{'g' * 255}", f"{deep}/{'h' * 255}")]
    assert proven(change)


def test_bytes_that_are_no_text_are_kept(box: Watched) -> None:
    changes = box.shell('cd /opt; n=$(printf \'\\377\\n.\'); echo x >"$n"; mv "$n" plain')
    assert said(changes) == [(OP.RENAME, "/opt/\\xff\n.", "/opt/plain")]


def test_a_volume_on_the_upper_layers_own_filesystem_tells_only_its_own_changes(box: Watched, volume: Path) -> None:
    (volume / "v").write_text("x")
    assert said(box.shell("mkdir /opt/here; rmdir /opt/here; touch /opt/f; rm /opt/f; mv /vol/v /vol/w")) == [
        (OP.MKDIR, "/opt/here", None),
        (OP.RMDIR, "/opt/here", None),
        (OP.UNLINK, "/opt/f", None),
        (OP.RENAME, "/vol/v", "/vol/w"),
    ]


def test_a_mount_is_told_by_what_and_where(box: Watched) -> None:
    box.shell("mkdir -p /opt/at")
    (change,) = box.does("mount", "tmpfs", "/opt/at")
    assert said([change]) == [(OP.MOUNT, "/", "/opt/at")]
    assert change.file.layer is Layer.NEW_MOUNT
    (made,) = box.does("mkdir", "/opt/at/inside")
    assert (made.file.layer, made.file.path) == (Layer.NEW_MOUNT, "/inside")
    (gone,) = box.does("umount", "/opt/at")
    assert (gone.operation, gone.file.path, gone.file.flags) == (OP.UNMOUNT, "/opt/at", Flag.CLAIMED)


def test_a_bind_mount_by_the_newer_calls_is_the_same(box: Watched) -> None:
    box.shell("mkdir -p /opt/bound")
    assert said(box.does("move-mount", "/etc", "/opt/bound")) == [(OP.MOUNT, "/etc", "/opt/bound")]
    box.does("umount", "/opt/bound")
    assert box.does("mount", "/etc", "/opt/bound") == []  # known: only counted
    box.does("umount", "/opt/bound")


def test_a_filesystem_that_is_mounted_nowhere_is_told(box: Watched) -> None:
    (change,) = box.does("fsmount", "file")
    assert said([change]) == [(OP.MOUNT, "/", None)]
    assert change.file.layer is Layer.NEW_MOUNT
