"""What all plots share to draw lines with gaps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.widget.plots.style import broken_line, hollow


def test_lines_have_gaps_between_them_and_do_not_end_in_one():
    x, y = broken_line([(0, 1), (1, 2)], [(0, 0), (1, 1)])
    np.testing.assert_array_equal(x, [0, 1, math.nan, 1, 2])
    np.testing.assert_array_equal(y, [0, 0, math.nan, 1, 1])
    assert [part.tolist() for part in broken_line(np.empty((0, 2)), np.empty((0, 2)))] == [[], []]


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((), "pruned or aborted"),
        (("left out",), "left out"),
        (("completed", "left out", "pruned"), "pruned or left out"),
    ],
)
def test_a_legend_says_which_hollow_trials_the_filter_lets_pass(states, words):
    assert hollow(TrialFilter(states=states)) == words
