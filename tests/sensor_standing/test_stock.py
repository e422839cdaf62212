"""The stream that an iterator writes is cut into records wherever reads end."""

import os

from hypothesis import given
from hypothesis import strategies as st

from agent.sensor import stock


@given(st.lists(st.binary(max_size=9000), max_size=6))
def test_records_come_out_as_they_went_in(records: list[bytes]) -> None:
    out, into = os.pipe()
    os.set_blocking(into, False)
    os.write(into, b"".join(len(it).to_bytes(4, "little") + it for it in records))
    os.close(into)
    batches = list(stock.batches(out))
    os.close(out)
    assert [it for batch in batches for it in batch] == records
