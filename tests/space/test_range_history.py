"""Changes of ranges and the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hpo_widgets.parameters import DiscreteParameterRange, UniformIntegerParameterRange, UniformParameterRange
from hpo_widgets.space import RangeChange, Space
from hpo_widgets.space.range_history import RangeHistory
from hpo_widgets.viewer.journal_state import JournalState
from tests.headers import header


@pytest.fixture
def epochs():
    parameters = [
        UniformParameterRange("x", 0, 1),
        UniformIntegerParameterRange("layers", 1, 8),
        DiscreteParameterRange("kind", ["a", "b", "c"]),
    ]
    return RangeHistory(Space(parameters))


def test_it_begins_with_the_declared_ranges_and_no_way_back(epochs):
    [mark] = epochs.marks
    assert (mark.epoch, mark.first_number, mark.changed) == (0, 0, {})
    assert mark.ranges == {"x": (0, 1), "layers": (1, 8), "kind": ("a", "b", "c")}
    assert mark.at > 0
    assert (epochs.number, epochs.can_undo, epochs.can_redo) == (0, False, False)
    assert epochs.undo(0) is None
    assert epochs.redo(0) is None


def test_several_ranges_at_once_are_one_epoch_that_names_what_changed(epochs):
    mark = epochs.set_ranges({"x": (0.25, 0.5), "kind": ["b"], "layers": (1, 8)}, 12)
    assert (mark.epoch, mark.first_number) == (1, 12)
    assert mark.changed == {"x": (0.25, 0.5), "kind": ("b",)}
    assert mark.ranges == epochs.space.ranges
    assert epochs.marks[-1] is mark
    assert epochs.number == 1


def test_the_ranges_that_hold_already_make_no_epoch(epochs):
    assert epochs.set_ranges({"x": (0, 1)}, 3) is None
    assert len(epochs.marks) == 1
    assert not epochs.can_undo


def test_choices_that_are_equal_but_of_other_types_are_other_ranges():
    epochs = RangeHistory(Space([DiscreteParameterRange("x", [True, 1, 1.0])]))
    for number, choice in enumerate((True, 1, 1.0), start=1):
        epochs.set_ranges({"x": [choice]}, number)
        assert [type(value) for value in epochs.space.ranges["x"]] == [type(choice)]
    assert [list(mark.changed) for mark in epochs.marks] == [[], ["x"], ["x"], ["x"]]


def test_choices_that_are_arrays_can_be_narrowed_and_the_same_ones_make_no_epoch():
    first, second = np.array([1, 2]), np.array([3, 4])
    epochs = RangeHistory(Space([DiscreteParameterRange("weights", [first, second])]))
    mark = epochs.set_ranges({"weights": [second]}, 1)
    assert [one.tolist() for one in mark.changed["weights"]] == [[3, 4]]
    assert epochs.set_ranges({"weights": [np.array([3, 4])]}, 2) is None


def test_a_choice_of_nan_is_not_changed_by_what_a_journal_has_of_another_parameter():
    space = Space([DiscreteParameterRange("x", [math.nan, 1.0]), UniformIntegerParameterRange("n", 1, 8)])
    epochs = RangeHistory(Space.from_dict(space.to_dict()))
    stored = Space.from_dict(space.with_ranges({"n": (1, 4)}).to_dict())
    assert list(epochs.record(stored, 1, "set", 1, 0.0).changed) == ["n"]


def test_a_change_of_a_part_leaves_the_rest_as_it_is_by_then(epochs):
    epochs.set_ranges({"x": (0.25, 1), "kind": ["a", "c"]}, 1)
    changes = {"x": RangeChange({1: 0.5}), "layers": RangeChange({0: 2}), "kind": RangeChange({0: False, 1: True})}
    mark = epochs.set_ranges(changes, 2)
    assert mark.changed == {"x": (0.25, 0.5), "layers": (2, 8), "kind": ("b", "c")}
    assert all(type(bound) is int for bound in mark.ranges["layers"])


@pytest.mark.parametrize(
    "ranges",
    [
        {"y": (0, 1)}, {"x": (0.5, 0.1)}, {"kind": ["d"]}, {"x": RangeChange({0: 2.0})}, {"y": RangeChange({0: 0.5})},
        {"x": RangeChange({0: None})}, {"kind": RangeChange(dict.fromkeys(range(3), False))},
    ],
)  # fmt: skip
def test_a_bad_change_raises_and_changes_nothing(epochs, ranges):
    before = epochs.space
    with pytest.raises((ValueError, KeyError)):
        epochs.set_ranges({"layers": (2, 3), **ranges}, 3)
    assert epochs.space is before
    assert len(epochs.marks) == 1
    assert not epochs.can_undo


def test_undo_and_redo_are_epochs_of_their_own(epochs):
    epochs.set_ranges({"x": (0, 0.5)}, 1)
    epochs.set_ranges({"x": (0, 0.25)}, 2)
    seen = []
    for step in (epochs.undo, epochs.undo, epochs.redo, epochs.redo):
        mark = step(epochs.number + 1)
        seen.append((mark.epoch, mark.ranges["x"], mark.changed, epochs.can_undo, epochs.can_redo))
    assert seen == [
        (3, (0, 0.5), {"x": (0, 0.5)}, True, True),
        (4, (0, 1), {"x": (0, 1)}, False, True),
        (5, (0, 0.5), {"x": (0, 0.5)}, True, True),
        (6, (0, 0.25), {"x": (0, 0.25)}, True, False),
    ]
    assert [mark.epoch for mark in epochs.marks] == list(range(7))
    assert [mark.step for mark in epochs.marks] == ["set"] * 3 + ["undo"] * 2 + ["redo"] * 2


def test_a_new_change_forgets_what_was_undone(epochs):
    epochs.set_ranges({"x": (0, 0.5)}, 1)
    epochs.undo(2)
    epochs.set_ranges({"layers": (2, 4)}, 3)
    assert not epochs.can_redo
    assert epochs.undo(4).ranges["layers"] == (1, 8)
    assert not epochs.can_undo


def test_another_strategy_leaves_what_can_be_undone_and_redone(epochs):
    epochs.set_ranges({"x": (0, 0.5)}, 1)
    epochs.set_ranges({"x": (0, 0.25)}, 2)
    epochs.undo(3)
    epochs.record(epochs.space, 4, "strategy", epochs.number + 1, 0.0)
    assert (epochs.can_undo, epochs.can_redo) == (True, True)
    assert epochs.redo(5).ranges["x"] == (0, 0.25)
    assert epochs.undo(6).ranges["x"] == (0, 0.5)
    assert epochs.undo(7).ranges["x"] == (0, 1)
    assert not epochs.can_undo


def test_marks_that_somebody_holds_do_not_grow(epochs):
    held = epochs.marks
    epochs.set_ranges({"x": (0, 0.5)}, 1)
    assert len(held) == 1


def test_restored_epochs_go_on_where_the_journal_ends(epochs):
    declared = epochs.space
    events = []
    for step, change in (
        ("set", lambda: epochs.set_ranges({"x": (0, 0.5)}, 1)),
        ("set", lambda: epochs.set_ranges({"layers": (2, 4)}, 2)),
        ("undo", lambda: epochs.undo(3)),
    ):
        mark = change()
        event = {"kind": "set_ranges", "step": step, "space": epochs.space.to_dict(), "at": mark.at}
        events.append({**event, "epoch": mark.epoch, "first_number": mark.first_number})
    journal_state = JournalState(header(declared))
    journal_state.follow(events)
    again = RangeHistory(declared)
    again.restore(journal_state.ranges)
    assert again.marks[1:] == epochs.marks[1:]
    assert again.space.ranges == epochs.space.ranges
    assert (again.number, again.can_undo, again.can_redo) == (3, True, True)
    for step in ("redo", "undo", "undo"):
        ours, theirs = getattr(again, step)(5), getattr(epochs, step)(5)
        assert (ours.epoch, ours.ranges, ours.changed) == (theirs.epoch, theirs.ranges, theirs.changed)
    assert not again.can_undo


def test_restoring_takes_copies(epochs):
    journal_state = JournalState(header(epochs.space))
    epochs.restore(journal_state.ranges)
    epochs.set_ranges({"x": (0, 0.5)}, 1)
    assert len(journal_state.ranges.marks) == 1
    assert not journal_state.ranges.can_undo


def test_added_choices_are_one_epoch_that_undo_leaves_out_and_redo_allows_again(epochs):
    epochs.set_ranges({"kind": ["b"]}, 3)
    mark = epochs.add_choices({"kind": ["d", "e"]}, 5)
    assert (mark.epoch, mark.first_number, mark.changed, mark.changed_priors) == (2, 5, {"kind": ("b", "d", "e")}, ())
    undone = epochs.undo(7)
    assert (undone.changed, undone.step) == ({"kind": ("b",)}, "undo")
    assert epochs.space.decode([0.5, 2, 4])["kind"] == "e"  # trials may have it
    epochs.undo(8)
    assert epochs.space.ranges["kind"] == ("a", "b", "c")
    epochs.redo(9)
    epochs.redo(9)
    assert epochs.space.ranges["kind"] == ("b", "d", "e")
    assert epochs.first_space.ranges["kind"] == ("a", "b", "c")
    assert epochs.first_space.leaf("kind").declared == ("a", "b", "c", "d", "e")
    assert [mark.step for mark in epochs.marks] == ["set", "set", "set", "undo", "undo", "redo", "redo"]


def test_a_choice_that_was_added_after_an_undo_stays_out_of_what_it_leads_back_to(epochs):
    epochs.set_ranges({"x": (0, 0.5)}, 1)
    epochs.undo(2)
    epochs.add_choices({"kind": ["d"]}, 3)
    assert not epochs.can_redo
    epochs.undo(4)
    assert epochs.space.ranges == {"x": (0, 1), "layers": (1, 8), "kind": ("a", "b", "c")}
    with pytest.raises(ValueError, match="'d' is a choice of 'kind' already: allow it again with set_range"):
        epochs.add_choices({"kind": ["d"]}, 5)
    epochs.set_ranges({"kind": ["a", "d"]}, 5)
    assert epochs.space.ranges["kind"] == ("a", "d")


def test_a_prior_from_before_a_choice_was_added_is_the_same_after_an_undo(epochs):
    epochs.set_priors({"kind": [1, 3, 2]}, 0)
    epochs.add_choices({"kind": ["d"]}, 2)
    prior = epochs.space.priors["kind"]
    assert prior.weights == pytest.approx((1 / 3, 1, 2 / 3, 2 / 3))
    assert epochs.undo(4).changed_priors == ()
    assert epochs.space.priors["kind"].weights == prior.weights
    assert epochs.undo(5).changed_priors == ("kind",)
    assert epochs.redo(6).changed_priors == ("kind",)
