"""Whatever a log says, the view takes it, stays bounded, and shows lines that are safe."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.outputs.reading import decode
from agent.top.choice import CONTAINER, SECTIONS, Choice
from agent.top.pages import page
from agent.top.pen import Pen, Size
from agent.top.snapshot import Agent
from agent.top.view import View
from model.event import Exit, FlowCount, Gap
from model.origin import Container, Origin, Process
from model.record import Record
from model.text import printable
from model.verdict import Verdict
from tests.model import strategies as some
from tests.outputs.builders import ALLOWED, violation
from tests.top.builders import STAMP, finding

text = st.text(max_size=30)
small = st.integers(0, 9)
large = st.integers(0, 2**62)
exits = st.builds(Exit, large, some.actors, small, small, large)
counts = st.builds(
    FlowCount, large, some.keys, small, some.sessions, small, large, large, large, large, small, small, text, st.booleans()
)  # fmt: skip
gaps = st.builds(Gap, large, small, text, text, st.integers(-1, 2**40), large)
events = st.one_of(some.execs, some.opens, some.changes, some.nets, some.loads, some.sockets, exits, counts, gaps)
containers = st.builds(Container, small, text, text, text, text, text)
processes = st.builds(Process, text, small, large, text, st.tuples(text, text), some.sessions, small, text)
origins = st.none() | st.builds(Origin, containers, st.none() | processes)
verdicts: st.SearchStrategy[Verdict | None] = st.sampled_from([None, ALLOWED, violation()])
records = st.builds(STAMP.record, events, origins, verdicts)


@settings(max_examples=50)
@given(st.lists(records, max_size=12), large, st.integers(1, 120), st.integers(1, 40), st.sampled_from(SECTIONS))
def test_any_records_give_some_page(seen: list[Record], now_ns: int, width: int, height: int, section: str) -> None:
    view = View(10.0, 60.0, limit=5)
    for record in seen:
        view.see(decode(msgspec.json.encode(record)))
        view.see(finding(record, subject=record.id, container="web"))
    shown = view.snapshot(now_ns, "2026-01-01T12:00:00Z", Agent())
    assert len(shown.containers) <= 5
    for row in shown.containers:
        detail = view.detail(row.key, now_ns, Agent())
        lines = page(Pen(unicode=True), shown, detail, Choice(page=CONTAINER, key=row.key, section=section), Size(width, height))
        assert len(lines) == height
        assert all(line.plain == printable(line.plain) for line in lines)
