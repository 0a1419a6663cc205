"""Messages come out of a stream as they went in, however the stream is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.engines.local.frames import frame, split

MESSAGES = st.lists(st.tuples(st.integers(), st.text(max_size=50), st.none() | st.floats(allow_nan=False)), max_size=8)


@given(messages=MESSAGES, data=st.data())
def test_a_stream_may_be_cut_anywhere(messages, data):
    stream = b"".join(map(frame, messages))
    received, rest, position = [], b"", 0
    while position < len(stream):
        size = data.draw(st.integers(1, len(stream) - position))
        found, rest = split(rest + stream[position : position + size])
        received += found
        position += size
    assert received == messages
    assert rest == b""
