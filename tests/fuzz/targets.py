"""Every parser of hostile bytes, as a function that takes any bytes: it may refuse them with the error that it promises.

What a parser accepts must also be writable: text with half a character in it would break the log much later.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from agent.node.records import RecordError, claimed_path, parse_bundle, parse_docker, parse_state, parse_stored
from agent.outputs import reading
from agent.sensor import dns
from agent.sensor.decode import DecodeError, Decoder
from agent.sensor.layout import EVENT
from agent.sensor.recording import Header, Recorder, Recording, RecordingError
from model import testing
from model.policy import parse
from model.problem import PolicyError
from model.text import from_bytes, printable, to_bytes
from model.trial import event_of

writable = msgspec.json.Encoder().encode


def kernel(data: bytes) -> None:
    """A record of a ring. Its kind is where the layout has it: the fuzzer need not find it."""
    try:
        writable(Decoder().decode(data))
    except DecodeError:
        return


def kernel_texts(data: bytes) -> None:
    """The same with a fixed part of zeros before it, so that lengths and texts are reached."""
    kernel(data[:8].ljust(8, b"\0") + bytes(EVENT.size) + data[8:])


def policy(data: bytes) -> None:
    """A policy file. Problems are shown to people, so they too must be text."""
    try:
        parse(data.decode("utf-8", "replace"), "policy.yaml")
    except PolicyError as error:
        str(error).encode()


def policy_test(data: bytes) -> None:
    """A test file of a policy: what it accepts can also be made an event."""
    try:
        groups = testing.parse(data.decode("utf-8", "replace"), "policy.test.yaml")
    except PolicyError as error:
        str(error).encode()
        return
    for case in (case for group in groups for case in group.cases):
        writable(event_of(case))


def dns_answer(data: bytes) -> None:
    """A DNS message from anywhere."""
    try:
        writable(dns.parse(data))
    except ValueError:
        return


def runtime_files(data: bytes) -> None:
    """Records of container runtimes: their names and annotations come from whoever starts a container."""
    parsers: list[Callable[[], object]] = [
        lambda: parse_bundle(data, "id", "/run/bundle"),
        lambda: parse_state(data, ("/sys/fs/cgroup",)),
        lambda: parse_docker(data),
        lambda: parse_stored(data),
        lambda: claimed_path(from_bytes(data)),
    ]
    for parser in parsers:
        try:
            writable(parser())
        except RecordError:
            continue


def records(data: bytes) -> None:
    """A line of a log that somebody else may have written."""
    try:
        writable(reading.decode(data))
    except msgspec.DecodeError:
        return


def recording(data: bytes) -> None:
    """A recording from another machine: with a header of its own, and behind one of ours."""
    with TemporaryDirectory() as folder:
        _replay(Path(folder, "whole"), b"vedette recording 1\n" + data)
        path = Path(folder, "rest")
        Recorder(path, Header(boot="boot", clock_offset_ns=0), 1 << 20).close()
        _replay(path, path.read_bytes() + data)


def _replay(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        with closing(Recording(path, lambda _fact: None)) as source:
            while not source.ended:
                source.poll(0)
    except RecordingError:
        return


def text(data: bytes) -> None:
    """The reversible form: every byte comes back, nothing invisible reaches a screen."""
    form = from_bytes(data)
    assert to_bytes(form) == data
    assert not any(ord(char) < 32 or ord(char) == 127 for char in printable(form))


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (policy, policy_test, kernel, kernel_texts, dns_answer, runtime_files, records, recording, text)
}
