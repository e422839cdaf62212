"""Bytes of a ring become events; whatever the bytes are, nothing but DecodeError comes out."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sensor import layout
from agent.sensor.decode import DecodeError, Decoder
from model import event
from model.event import Access, Direction, Flag, Layer, Operation, Session
from model.text import to_bytes
from tests.sensor_python import records

DECODER = Decoder(("LD_PRELOAD", "PYTHONPATH"))


def decoded(raw: bytes) -> Any:
    return DECODER.decode(raw)


def test_the_actor_is_who_the_kernel_says() -> None:
    by = decoded(records.open_(by_creator_pid=12, by_ancestor_pid=11, by_tty=1)).actor
    assert (by.container, by.pid, by.started_ns, by.session) == (4711, 70_000, 5_000_000_000, Session.MAIN)
    assert (by.creator_pid, by.ancestor_pid, by.exe, by.euid, by.tty, by.comm) == (12, 11, 2**63 + 5, 1000, True, "nginx")


def test_an_open_carries_file_access_and_flow() -> None:
    it = decoded(records.open_(file_ino=9, file_dev=8, file_real_dev=7, file_flags=9, access=3, standing=1))
    assert (it.file.path, it.file.layer, it.file.inode, it.file.device, it.file.real_device) == (
        "/etc/hosts",
        Layer.IMAGE,
        9,
        8,
        7,
    )
    assert it.file.flags == Flag.DELETED | Flag.UNSTABLE
    assert (it.access, it.flow, it.standing) == (Access.READ | Access.WRITE, records.KEY, True)


def test_a_folder_that_is_only_counted_is_known_as_its_counts_are() -> None:
    it = decoded(records.every_kind()["many"])
    _who, _inode, names, device, _real_device, _generation, what = layout.FLOW_KEY.unpack(records.KEY)
    assert layout.PREFIX_KEY.unpack(it.flow) == (4711, names, device, what)


def test_an_exec_carries_everything_that_it_was_started_with() -> None:
    it = decoded(
        records.exec_(code_environment=2, capabilities=5, uid=3, login_uid=2**32 - 1, no_new_privs=1, seccomp=2, setuid=1)
    )
    assert (it.argv, it.cwd, it.tty, it.script) == (("sh", "-c", "true"), "/srv", "pts0", None)
    assert (it.code_environment, it.capabilities, it.uid, it.login_uid) == (("PYTHONPATH",), 5, 3, 4294967295)
    assert (it.no_new_privs, it.seccomp, it.setuid, it.standing) == (True, 2, True, False)


def test_empty_arguments_are_kept() -> None:
    assert decoded(records.exec_(argv=b"a\0\0\0b\0")).argv == ("a", "", "", "b")
    assert decoded(records.exec_(argv=b"\0")).argv == ("",)
    assert decoded(records.exec_(argv=b"")).argv == ()


def test_a_cut_argument_is_told_by_the_true_length() -> None:
    it = decoded(records.exec_(argv=b"a" * 4096, argv_bytes=9000))
    assert (it.argv, it.argv_bytes) == (("a" * 4096,), 9000)


def test_a_script_has_its_own_file() -> None:
    texts = (b"/bin/dash", b"/opt/run.sh", b"/", b"", b"")
    it = decoded(records.record(layout.KIND_EXEC, "EXEC_EVENT", *texts, file_layer=1, script_layer=2, script_ino=6))
    assert (it.file.path, it.script.path, it.script.layer, it.script.inode) == ("/bin/dash", "/opt/run.sh", Layer.WRITABLE, 6)


def test_hostile_bytes_in_a_path_come_back_exactly() -> None:
    raw = b"/tmp/\xff\n\\x\x1b[2J"
    assert to_bytes(decoded(records.open_(raw)).file.path) == raw


def test_an_exit_tells_code_signal_and_duration() -> None:
    assert decoded(records.every_kind()["exit"]).status == 3
    killed = decoded(records.record(layout.KIND_EXIT, "EXIT_EVENT", code=9))
    assert (killed.status, killed.signal, killed.duration_ns) == (0, 9, 2_000_000_000)


def test_a_change_has_the_file_before_and_after() -> None:
    it = decoded(records.change(mode=0o104755))
    assert (it.operation, it.file.path, it.target.path, it.mode) == (Operation.RENAME, "/tmp/a", "/tmp/b", 0o104755)
    assert decoded(records.change(after=b"", target_layer=0)).target is None


def test_addresses_are_text_and_mapped_ones_are_ipv4() -> None:
    assert decoded(records.net()).address == "10.0.0.7"
    assert decoded(records.net(address=bytes(15) + b"\x01")).address == "::1"


def test_a_connection_tells_direction_peer_and_result() -> None:
    it = decoded(records.net(direction=3, local_port=80, protocol=250, result=111))
    assert (it.direction, it.port, it.local_port, it.protocol, it.result) == (Direction.LISTEN, 443, 80, 0, 111)


def test_a_unix_socket_is_a_file_or_an_abstract_name() -> None:
    assert decoded(records.every_kind()["unix"]).file.path == "/run/docker.sock"
    abstract = decoded(records.record(layout.KIND_UNIX, "UNIX_EVENT", b"x11\0y"))
    assert (abstract.file, abstract.abstract) == (None, "x11\0y")


def test_dns_over_tcp_begins_with_its_length() -> None:
    message = records.dns_answer()
    raw = records.record(layout.KIND_DNS, "DNS_EVENT", len(message).to_bytes(2, "big") + message, tcp=1)
    assert decoded(raw).addresses == ("192.0.2.1",)


def test_the_namer_gives_the_containers_name_and_may_add_flags() -> None:
    decoder = Decoder(name=lambda *of: (f"/mnt{of[3]}", int(Flag.OUTSIDE)))
    (it,) = decoder.all([records.open_()])
    assert isinstance(it, event.Open)
    assert (it.file.path, it.file.flags) == ("/mnt/etc/hosts", Flag.OUTSIDE)


@pytest.mark.parametrize("kind", records.every_kind())
def test_each_kind_is_decoded_to_its_own_class(kind: str) -> None:
    assert decoded(records.every_kind()[kind]).__struct_config__.tag == kind


@pytest.mark.parametrize("kind", records.every_kind())
def test_a_record_that_is_cut_anywhere_in_its_struct_is_malformed(kind: str) -> None:
    whole = records.every_kind()[kind]
    for length in range(min(len(whole), 200)):
        with pytest.raises(DecodeError):
            decoded(whole[:length])


def test_texts_beyond_the_record_are_malformed() -> None:
    with pytest.raises(DecodeError, match="texts longer"):
        decoded(records.open_(texts_0=60_000))


@pytest.mark.parametrize(
    "raw",
    [
        records.open_(file_layer=0),
        records.open_(file_layer=99),
        records.open_(file_flags=512),
        records.open_(by_session=9),
        records.open_(access=32),
        records.record(0, "FILE_EVENT"),
        records.record(2**32 - 1, "FILE_EVENT"),
        records.record(layout.KIND_WHO, "FILE_EVENT"),
        records.net(direction=0),
        records.change(operation=0),
    ],
)
def test_values_that_no_enumeration_has_are_malformed(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decoded(raw)


def test_malformed_records_are_counted_and_the_others_go_on() -> None:
    decoder = Decoder()
    assert len(list(decoder.all([b"", records.open_(), b"x" * 500, records.net()]))) == 2
    assert decoder.malformed == 2


@given(st.binary(max_size=600))
def test_arbitrary_bytes_give_an_event_or_a_decode_error(raw: bytes) -> None:
    list(Decoder().all([raw]))


@given(st.sampled_from(sorted(records.every_kind().values())), st.randoms(use_true_random=False), st.integers(1, 40))
def test_mutated_records_give_an_event_or_a_decode_error(raw: bytes, chance: random.Random, changes: int) -> None:
    mutated = bytearray(raw)
    for _ in range(changes):
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
    for made in DECODER.all([bytes(mutated)]):
        assert isinstance(made, event.Event)
