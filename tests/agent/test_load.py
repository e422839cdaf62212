"""Code that is mapped executable and is not from the image is a record; memory that a program made itself is none."""

import pytest

from model.event import Flag, Layer, Load, Session
from tests.agent.conftest import MakeNamedBox
from tests.agent.sight import Sight
from tests.containers.runc import Box

PLUGIN, EXEC = "/usr/lib/plugin.so", Session.EXEC
DROPPED = {
    "mmap": "map-dropped {plugin} {path}",
    "mprotect": "map-protect {path}",
    "mprotect of two": "map-protect-two {path}",
    "pkey_mprotect": "map-pkey {path}",
    "a personality": "map-implied {path}",
    "32-bit mmap2": "map-int80 {path}",
    "32-bit mmap": "map-int80-old {path}",
    "LD_PRELOAD": "preload {plugin} {path}",
    "dlopen": "dlopen {path}",
}
FILELESS = {
    "a deleted file": (f"map-deleted {PLUGIN}", "/tmp/gone.so", Layer.WRITABLE),
    "a memfd": (f"map-memfd {PLUGIN}", "/memfd:code", Layer.MEMFD),
    "dlopen of a memfd": (f"dlopen-memfd {PLUGIN}", "/memfd:library", Layer.MEMFD),
}


@pytest.mark.parametrize("way", DROPPED)
def test_a_dropped_library_is_seen_however_it_is_mapped(agent: Sight, plain: Box, way: str) -> None:
    path = f"/tmp/{way.replace(' ', '-')}.so"
    plain.exec("cp", PLUGIN, path)
    plain.attack(*DROPPED[way].format(plugin=PLUGIN, path=path).split())
    event = agent.sees(plain, Load, path=path).event
    assert isinstance(event, Load)
    assert (event.file.layer, event.file.flags) == (Layer.WRITABLE, Flag(0))
    assert event.file.ctime_ns


@pytest.mark.parametrize(("command", "path", "layer"), FILELESS.values(), ids=list(FILELESS))
def test_code_without_a_name_is_seen(agent: Sight, plain: Box, command: str, path: str, layer: Layer) -> None:
    plain.attack(*command.split())
    event = agent.sees(plain, Load, path=path).event
    assert isinstance(event, Load)
    assert (event.file.layer, event.file.flags) == (layer, Flag.DELETED)


def test_a_library_that_was_rewritten_in_place_is_another(agent: Sight, plain: Box) -> None:
    plain.attack("map-dropped", PLUGIN, "/tmp/rewritten.so")
    plain.attack("map-dropped", "/usr/bin/dynamic", "/tmp/rewritten.so")
    agent.settled(plain)
    assert len(agent.records(plain, Load, path="/tmp/rewritten.so")) == 2


@pytest.mark.parametrize("command", [f"map {PLUGIN}", f"dlopen {PLUGIN}", "execve /usr/bin/dynamic", "jit"])
def test_the_image_s_own_code_and_a_compiler_s_memory_are_no_load(agent: Sight, a_box: MakeNamedBox, command: str) -> None:
    box = a_box("plain")
    box.attack(*command.split())
    agent.settled(box)
    assert agent.records(box, Load, session=EXEC) == [], agent.told(box, Load)
