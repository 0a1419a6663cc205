"""What counts as a number, what a callable may return, and that messages arrive as they were sent."""

from __future__ import annotations

import decimal
import fractions
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.engines.local.messages import (
    ENDED,
    MAX_LINE,
    MAX_SERIES,
    READY,
    SCALAR,
    BadMessageError,
    ScalarLines,
    ended_line,
    plain_number,
    plain_result,
    read,
)


class Tensor:
    """As much of a tensor as counts."""

    def __init__(self, *values):
        self.values = values

    def item(self):
        if len(self.values) != 1:
            raise RuntimeError("more than one element")
        return self.values[0]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (True, 1),
        (np.bool_(True), 1),
        (np.int8(-3), -3),
        (np.float16(0.5), 0.5),
        (np.array([2.5]), 2.5),
        (np.array(4), 4),
        (decimal.Decimal("1.5"), 1.5),
        (fractions.Fraction(1, 4), 0.25),
        (Tensor(3.0), 3.0),
        (Tensor(True), 1),
    ],
)
def test_numbers_of_all_kinds_become_pythons(value, number):
    found = plain_number(value)
    assert found == number
    assert type(found) is type(number)


@pytest.mark.parametrize("value", ["1", b"1", None, [1], np.array([1, 2]), np.array([]), 1j, Tensor(1, 2), object()])
def test_what_is_no_number_is_none(value):
    assert plain_number(value) is None


@given(st.integers() | st.floats() | st.booleans())
def test_python_numbers_keep_their_value(value):
    found = plain_number(value)
    assert found == value or (math.isnan(found) and math.isnan(value))


def test_a_dict_keeps_its_keys_and_gets_plain_values():
    assert plain_result({"a/b": np.float64(0.5), "a/c": Tensor(2)}) == {"a/b": 0.5, "a/c": 2}


def test_results_are_bounded_and_so_are_the_sentences_about_them():
    with pytest.raises(TypeError, match="a dict of 10001 items"):
        plain_result({str(index): 1 for index in range(MAX_SERIES + 1)})
    with pytest.raises(TypeError) as caught:
        plain_result("x" * 100_000)
    assert len(str(caught.value)) < 250


def test_a_result_whose_repr_raises_is_still_told():
    class Mute:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(TypeError, match="returned a Mute"):
        plain_result(Mute())


NUMBERS = st.integers(-(2**1000), 2**1000) | st.floats(allow_nan=False)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(title=NAMES, series=NAMES, value=NUMBERS, iteration=st.integers(-(2**63), 2**63 - 1))
def test_scalars_arrive_as_they_were_reported(title, series, value, iteration):
    line = ScalarLines(7).line(title, series, value, iteration)
    assert line.index(b"\n") == len(line) - 1
    assert read(line[:-1]) == [SCALAR, 7, title, series, float(value), iteration]


@given(result=st.none() | NUMBERS | st.dictionaries(NAMES, NUMBERS), seconds=st.floats(0, 1e9), error=st.none() | NAMES)
def test_results_arrive_as_they_were_returned_with_their_types(result, seconds, error):
    details = None if error is None else (3, error, error)
    line = ended_line(7, seconds, plain_result(result), details)
    assert line.index(b"\n") == len(line) - 1
    found = read(line[:-1])
    assert found == [ENDED, 7, seconds, result, details]
    assert type(found[3]) is type(result)
    if isinstance(result, dict):
        assert list(map(type, found[3].values())) == list(map(type, result.values()))


def test_nan_and_infinity_arrive():
    for value in (math.nan, math.inf, -math.inf):
        for message in (ScalarLines(0).line("a", "b", value, 1), ended_line(0, 0.5, value)):
            arrived = next(part for part in read(message[:-1])[3:] if part is not None and part != "b")
            assert repr(arrived) == repr(value)


def test_half_a_character_arrives_as_text_that_can_be_stored():
    assert read(ScalarLines(0).line("\ud800", "é", 1.0, 0)[:-1])[2:4] == ["\\ud800", "é"]
    found = read(ended_line(0, 0.5, {"\ud800/b": 1.0}, (1, "\ud800", "\ud800"))[:-1])
    assert found[3:] == [{"\\ud800/b": 1.0}, (1, "\\ud800", "\\ud800")]


def test_a_result_that_is_too_large_for_a_message_is_told():
    found = read(ended_line(0, 0.5, {f"{index}/" + "\x00" * 490: 1.0 for index in range(2000)})[:-1])
    assert found[3] is None
    assert found[4][1] == f"returned a dict that takes 6 MiB; return less than {MAX_LINE // 2**20} MiB"


ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.none(), max_size=3)
PLACES = {
    SCALAR: [st.just(0), st.text(), st.text(), st.floats(), st.integers()],
    ENDED: [st.just(0), st.floats(0), NUMBERS | st.dictionaries(NAMES, NUMBERS), st.lists(st.none() | st.text())],
    READY: [],
}


@st.composite
def lines(draw):
    """A line that begins as a message, with anything in its places, or cut off, or with other bytes in it."""
    kind = draw(st.sampled_from(list(PLACES)))
    content = [kind, *(draw(place | ODD) for place in PLACES[kind]), *draw(st.lists(ODD, max_size=1))]
    line = json.dumps(content).encode()
    at = draw(st.integers(0, len(line)))
    return draw(st.sampled_from([line, line, line[:at], line[:at] + draw(st.binary(max_size=3)) + line[at:]]))


@given(lines() | st.binary())
def test_a_line_of_any_bytes_is_a_message_that_can_be_kept_or_none(line):
    try:
        kind, *content = read(line)
    except BadMessageError as error:
        kind, content = None, [str(error)]
    assert len(content) == {SCALAR: 5, ENDED: 4, READY: 0, None: 1}[kind]
    if kind == SCALAR:
        number, title, series, value, iteration = content
        assert (type(number), type(value), abs(iteration) <= 2**63) == (int, float, True)
        f"{title}{series}".encode()
    elif kind == ENDED:
        number, seconds, result, details = content
        assert (type(number), 0 <= seconds < math.inf) == (int, True)
        numbers = list(result.values()) if isinstance(result, dict) else [] if result is None else [result]
        assert all(type(float(one)) is float for one in numbers)
        repr(details).encode()
