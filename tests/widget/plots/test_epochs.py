"""Labels of space epochs in the history: the newest in words, none over another, none over the edge."""

from __future__ import annotations

import pytest
from bqplot import LinearScale

from hpo_widgets.parameters import DiscreteParameterRange
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget.plots.epochs import EpochMarks, in_words


@pytest.fixture
def search(wire):
    """A search whose comms go nowhere."""
    return ScriptedSearch()


@pytest.fixture
def labels(search):
    """What is written to the right and to the left of the lines, on an axis of 100 trials."""

    def drawn():
        marks = EpochMarks({"x": LinearScale(), "y": LinearScale()})
        marks.draw(search.epochs, search.space, 100.0)
        _, *both = marks.marks
        return [[*zip(mark.x.tolist(), mark.text, strict=True)] for mark in both]

    return drawn


def steer(search, *, after, **ranges):
    """Change ranges when so many more trials have run."""
    search.add_trials([0.5] * after)
    search.set_ranges(ranges)


def test_the_newest_change_is_told_in_words_and_earlier_ones_by_number(search, labels):
    steer(search, after=10, lr=(1e-3, 1e-2))
    steer(search, after=20, layers=(2, 3))
    assert labels() == [[(9.5, "space 2"), (29.5, "space 3: layers 2 … 3")], []]


def test_what_changed_before_the_first_trial_divides_nothing(search, labels):
    steer(search, after=0, lr=(1e-3, 1e-2))
    assert labels() == [[], []]


def test_changes_that_follow_each_other_without_a_trial_are_told_together(search, labels):
    steer(search, after=10, layers=(2, 5))
    steer(search, after=0, activation=("relu",))
    steer(search, after=0, layers=(2, 3))
    assert labels() == [[(9.5, "space 4: layers 2 … 3, activation relu")], []]


def test_many_changes_are_counted(search, labels):
    steer(search, after=10, lr=(1e-3, 1e-2), dropout=(0.1, 0.2), layers=(2, 3))
    ((_, words),), _ = labels()
    assert words == "space 2: lr 0.001 … 0.01, dropout 0.1 … 0.2 and 1 more"


def test_beyond_the_middle_words_stand_to_the_left_where_nothing_else_does(search, labels):
    for after in (5, 40, 20):
        steer(search, after=after, layers=(2, 3 if after == 40 else 4))
    # The second label would lie under the words of the third.
    assert labels() == [[(4.5, "space 2")], [(64.5, "space 4: layers 2 … 4")]]


def test_numbers_that_would_touch_the_next_line_are_left_out(search, labels):
    steer(search, after=10, layers=(2, 5))
    steer(search, after=4, layers=(2, 4))
    assert labels() == [[(13.5, "space 3: layers 2 … 4")], []]


def test_long_words_are_cut(wire):
    search = ScriptedSearch([DiscreteParameterRange("General/choice", ["a" * 300, "b"])])
    steer(search, after=10, **{"General/choice": ("a" * 300,)})
    words = in_words(search.epochs, search.space)
    assert words == f"space 2: choice {'a' * 43}…"


def test_words_that_have_no_room_tell_of_fewer_changes(search):
    steer(search, after=10, lr=(1e-3, 1e-2), dropout=(0.1, 0.2), layers=(2, 3))
    assert in_words(search.epochs, search.space, 50) == "space 2: lr 0.001 … 0.01 and 2 more"


def test_a_prior_is_told_where_it_was_drawn_and_where_it_was_cleared(search, labels):
    search.add_trials([0.5] * 10)
    search.set_priors({"layers": [1, 2]})
    assert labels() == [[(9.5, "space 2: prior of layers")], []]
    search.add_trials([0.5] * 20)
    search.set_priors({"layers": None})
    search.set_ranges({"lr": (1e-3, 1e-2)})
    assert labels()[0][-1] == (29.5, "space 4: lr 0.001 … 0.01, prior of layers cleared")
