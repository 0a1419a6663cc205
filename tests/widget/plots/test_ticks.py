"""Ticks are round numbers, some but not many, none on the lane of failed trials."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.widget.plots.axes import (
    LANE,
    Domain,
    even_ticks,
    first_domain,
    tick_format,
    tick_words,
    ticks_between,
    value_ticks,
)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.3, 0.35, [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]),
        (0, 20, [0, 5, 10, 15, 20]),
        (1e9, 1.0005e9, [1e9, 1.0001e9, 1.0002e9, 1.0003e9, 1.0004e9, 1.0005e9]),
    ],
)
def test_even_ticks_are_round(low, high, ticks):
    assert even_ticks(low, high, 6) == pytest.approx(ticks)


def test_trials_have_whole_ticks():
    assert even_ticks(0, 3, 6, whole=True) == [0, 1, 2, 3]


def test_an_axis_without_width_has_no_ticks():
    assert even_ticks(1, 1, 6) == []


def test_a_few_decades_have_parts_and_many_have_none():
    assert value_ticks(Domain(0.009, 1.1, is_log=True), 6) == [0.02, 0.05, 0.1, 0.2, 0.5, 1.0]
    assert value_ticks(Domain(1e-7, 1.1, is_log=True), 8) == [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]


def test_ticks_of_very_many_decades_are_round_numbers_of_decades_apart():
    assert value_ticks(Domain(1e-305, 1e305, is_log=True), 6) == [1e-200, 1.0, 1e200]
    assert value_ticks(Domain(1e-50, 1e50, is_log=True), 6) == [1e-40, 1e-20, 1.0, 1e20, 1e40]


@given(st.lists(st.floats(min_value=1e-200, max_value=1e200), min_size=2, max_size=5, unique=True), st.booleans())
def test_ticks_are_few_and_off_the_lane(values, is_log):
    domain = first_domain(np.array(values), is_log=is_log)
    ticks = value_ticks(domain, 6)
    assert len(ticks) <= 12
    assert all(domain.at(LANE) <= tick <= domain.high for tick in ticks)


# Pixels of a letter of the labels, and of the axes that they stand along: of the history and of one slice.
LETTER, WIDE, NARROW = 6.5, 900, 150


@pytest.mark.parametrize(
    "domain",
    [
        Domain(1e-8, 1e3, is_log=True),
        Domain(1e-12, 1.0, is_log=True),
        Domain(3e-5, 0.2, is_log=True),
        Domain(0.9, 1.1, is_log=True),
        Domain(0, 9_500_000),
        Domain(-0.3, 0.35),
        Domain(1000, 1003),
        Domain(1e-7, 4e-7),
    ],
    ids=str,
)
@pytest.mark.parametrize(("most", "width"), [(4, NARROW), (6, WIDE)])
def test_labels_are_enough_in_one_notation_and_do_not_overlap(domain, most, width):
    ticks = ticks_between(domain, most)
    assert 3 <= len(ticks) <= most + 3
    notation = tick_format(ticks)
    labels = [f"{tick:e}" if "e" in notation else f"{tick:.6g}" for tick in ticks]
    labels = [label.replace(".000000", "").replace("e-0", "e-").replace("e+0", "e+") for label in labels]
    assert len({"e" in label for label in labels if label != "0"}) == 1
    places = domain.place(np.array(ticks)) * width
    for left, right, *both in zip(places, places[1:], labels, labels[1:], strict=False):
        assert right - left > LETTER * sum(map(len, both)) / 2


@pytest.mark.parametrize(
    ("ticks", "notation"),
    [
        ([1e-8, 1e-6, 1e-4], ".6~e"),
        ([1e-4, 1e-2, 1.0], ".6~g"),
        ([2.5e-4, 5e-4, 7.5e-4], ".6~g"),
        ([2e-4, 2.05e-4, 2.1e-4], ".6~e"),
        ([0.98765, 0.9877, 0.98775], ".6~g"),
        ([1.0, 1e3, 1e6], ".6~e"),
        ([0.0, 0.5, 1.0], ".6~g"),
        ([0.0, 2e6, 4e6], ".6~g"),
        ([0.0, 5e5, 1e6], ".6~e"),
        ([1234567.0, 1234568.0, 1234569.0], ".7~g"),
        ([12345670.0, 12345680.0], ".7~e"),
        ([0.0, 5e-7, 1e-6], ".6~e"),
        ([], ".6~g"),
    ],
    ids=str,
)
def test_an_axis_has_one_notation(ticks, notation):
    assert tick_format(ticks) == notation


@pytest.mark.parametrize(
    ("low", "high"), [(100000.1, 100000.9), (1234500.1, 1234500.9), (-5000.13, -5000.11), (1.00000001, 1.00000009)]
)
def test_ticks_that_differ_late_do_not_read_the_same(low, high):
    ticks = value_ticks(first_domain(np.array([low, high]), is_log=False), 6)
    digits, kind = re.fullmatch(r"\.(\d+)~([eg])", tick_format(ticks)).groups()
    for labels in ([f"{tick:.{digits}{kind}}" for tick in ticks], tick_words(ticks)):
        assert len(set(labels)) == len(ticks) >= 3
    assert max(len(words) for words in tick_words([0.2, 0.4])) == 3
