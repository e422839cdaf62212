"""DNS answers as the container received them: only what belongs to its question counts, and no message can hang us."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sensor.dns import QUERY, parse
from tests.sensor_python.records import dns_answer

WWW = b"\xc0\x0c"


def rr(owner: bytes, kind: int, data: bytes, ttl: int = 60) -> bytes:
    return owner + kind.to_bytes(2, "big") + b"\x00\x01" + ttl.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data


def name(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def test_an_answer_gives_name_addresses_and_time_to_live() -> None:
    said = parse(dns_answer())
    assert (said.name, said.type, said.rcode, said.addresses, said.ttl_s) == ("www.example.org", 1, 0, ("192.0.2.1",), 60)


def test_names_are_compared_in_lower_case() -> None:
    assert parse(dns_answer(name("wWw.EXAMPLE.org"))).name == "www.example.org"


def test_addresses_are_followed_through_aliases_and_the_smallest_ttl_counts() -> None:
    answers = (
        rr(WWW, 5, name("a.cdn.net"), 30)
        + rr(name("a.cdn.net"), 5, name("b.cdn.net"))
        + rr(name("b.cdn.net"), 28, bytes(15) + b"\1", 90)
    )
    said = parse(dns_answer(answers=answers, count=3))
    assert (said.aliases, said.addresses, said.ttl_s) == (("a.cdn.net", "b.cdn.net"), ("::1",), 30)


def test_addresses_of_other_names_do_not_count() -> None:
    answers = rr(name("bank.example"), 1, b"\x0a\0\0\1") + rr(WWW, 1, b"\x0a\0\0\2")
    assert parse(dns_answer(answers=answers, count=2)).addresses == ("10.0.0.2",)


def test_a_loop_of_aliases_ends() -> None:
    answers = rr(WWW, 5, name("x.y")) + rr(name("x.y"), 5, name("www.example.org"))
    assert parse(dns_answer(answers=answers, count=2)).aliases == ("x.y",)


def test_a_dot_inside_of_a_label_is_not_a_dot_between_labels() -> None:
    assert parse(dns_answer(b"\x07www.com\x03org\0")).name == "www\\x2ecom.org"


def test_a_message_that_is_cut_gives_its_whole_records() -> None:
    whole = dns_answer(answers=rr(WWW, 1, b"\x0a\0\0\1") + rr(WWW, 1, b"\x0a\0\0\2"), count=2)
    assert parse(whole[:-3]).addresses == ("10.0.0.1",)


@pytest.mark.parametrize(
    "question",
    [
        b"\xc0\x0c",
        b"\x01a\xc0\x0c",
        b"\xc0\xff",
        b"\xff",
        b"\x40a",
        b"\x3f" + b"a" * 63,
        (b"\x3f" + b"a" * 63) * 4 + b"\0",
        b"\x05ab",
    ],
    ids=["self pointer", "loop", "forward pointer", "half a pointer", "reserved bits", "no end", "too long", "cut"],
)
def test_a_question_that_is_no_name_is_refused(question: bytes) -> None:
    with pytest.raises(ValueError, match=r"name|label|pointer|question"):
        parse(dns_answer(question, b"", 0)[: 12 + len(question)])


def test_a_query_says_its_question_and_nothing_that_it_claims_to_know() -> None:
    said = parse(b"\x12\x34\x01\x00" + dns_answer()[4:])
    assert (said.name, said.type, said.rcode, said.addresses) == ("www.example.org", 1, QUERY, ())


def test_many_records_are_read_to_a_bound() -> None:
    answers = b"".join(rr(WWW, 1, number.to_bytes(4, "big")) for number in range(200))
    assert len(parse(dns_answer(answers=answers, count=65535)).addresses) == 64


@given(st.binary(max_size=1232))
def test_arbitrary_bytes_give_an_answer_or_a_value_error(raw: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(b"\0\0\x80\0\0\1" + raw)


@given(st.lists(st.sampled_from([b"\xc0\x0c", b"\xc0\x10", b"\x01a", b"\0", b"\0\5\0\1\0\0\0\0\0\2", b"\xc0"]), max_size=200))
def test_messages_of_pointers_give_an_answer_or_a_value_error(parts: list[bytes]) -> None:
    with contextlib.suppress(ValueError):
        parse(dns_answer(answers=b"".join(parts), count=65535))
