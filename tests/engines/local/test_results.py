"""What counts as a number, and what a callable may return."""

from __future__ import annotations

import decimal
import fractions
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.engines.local.results import MAX_SERIES, plain_number, plain_result


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
