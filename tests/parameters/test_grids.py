"""Grids are counted and indexed, never held."""

from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.parameters.grids import LazyList, StepGrid, concatenate, product


def numbers(size):
    return LazyList(size, lambda index: {"n": index})


@given(st.integers(0, 30), st.data())
def test_a_lazy_list_behaves_like_a_list(size, data):
    lazy, real = LazyList(size, lambda index: index * index), [index * index for index in range(size)]
    part = data.draw(st.slices(size))
    assert list(lazy) == real
    assert len(lazy) == size
    assert bool(lazy) == bool(real)
    assert list(lazy[part]) == real[part]
    for index in range(-size, size):
        assert lazy[index] == real[index]
    for outside in (size, -size - 1):
        with pytest.raises(IndexError, match="outside"):
            lazy[outside]


def test_a_lazy_list_may_be_longer_than_a_list_can_be():
    lazy = LazyList(10**30, lambda index: index)
    assert lazy.size == 10**30
    assert lazy[-1] == 10**30 - 1
    assert lazy[10**29 :].size == 9 * 10**29
    with pytest.raises(OverflowError):
        len(lazy)
    assert lazy.size > sys.maxsize
    assert repr(lazy).startswith("<LazyList of 1000")


@given(st.lists(st.integers(0, 4), max_size=4))
def test_a_product_is_that_of_itertools(sizes):
    lists = [LazyList(size, lambda index, place=place: {place: index}) for place, size in enumerate(sizes)]
    expected = [dict(enumerate(values)) for values in itertools.product(*map(range, sizes))]
    assert list(product(lists)) == expected


@given(st.lists(st.integers(0, 4), max_size=5))
def test_lists_are_joined_in_order(sizes):
    lists = [LazyList(size, lambda index, place=place: (place, index)) for place, size in enumerate(sizes)]
    assert list(concatenate(lists)) == [(place, index) for place, size in enumerate(sizes) for index in range(size)]


@given(st.integers(-(10**6), 10**6), st.integers(1, 10**4), st.integers(0, 6), st.integers(0, 10**4))
def test_steps_are_the_floats_nearest_to_decimal_numbers(origin, step, digits, k):
    grid = StepGrid(float(f"{origin}e-{digits}"), float(f"{step}e-{digits}"))
    value = grid.at(k)
    assert value == float(f"{origin + k * step}e-{digits}")
    assert grid.position(value) == grid.floor(value) == grid.ceil(value) == k


@given(st.integers(-(2**52), 2**52), st.integers(1, 2**40), st.integers(-(2**52), 2**52))
def test_whole_steps_are_exact(origin, step, value):
    grid = StepGrid(origin, step)
    below, above = grid.at(grid.floor(value)), grid.at(grid.ceil(value))
    assert below <= value <= above
    assert above - below == (0 if grid.position(value) is not None else step)
    assert type(below) is int


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 10), st.floats(-1e3, 1e3))
def test_floor_and_ceil_enclose_a_value(origin, step, value):
    grid = StepGrid(origin, step)
    floor, ceil = grid.floor(value), grid.ceil(value)
    assert ceil - floor == (0 if grid.position(value) is not None else 1)
    assert grid.at(floor) <= value + step * 1e-3
    assert grid.at(ceil) >= value - step * 1e-3
