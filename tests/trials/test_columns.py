"""The column store: what changed, what a copy holds, how it grows."""

from __future__ import annotations

import math
import tracemalloc
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpo_widgets.objectives import Objective, make_objectives
from hpo_widgets.objectives.pareto import pareto_front
from hpo_widgets.parameters import UniformParameterRange
from hpo_widgets.space import Space
from hpo_widgets.trials import Remark, TrialRow, TrialState
from hpo_widgets.trials.columns import Front, TrialColumns, TrialStore


class Column(NamedTuple):
    name: str
    kind: str


COLUMNS = (Column("lr", "log"), Column("layers", "int"), Column("act", "choice"))


def row(number, state=TrialState.COMPLETED, **fields):
    everything = {"parameters": [0.1, number, number % 3], "values": [float(number)], "iteration": [1], **fields}
    return TrialRow(number, int(state), 0, **everything)


@pytest.fixture
def columns():
    return TrialColumns(COLUMNS, 1)


def test_changes_since_holds_only_what_changed_at_twenty_thousand_trials(columns):
    columns.put([row(number) for number in range(20_000)])
    version = columns.snapshot().version
    columns.put([row(7, TrialState.FAILED), row(20_000, TrialState.RUNNING), row(7, TrialState.FAILED)])
    changes = columns.changes_since(version)
    assert changes.numbers.tolist() == [7, 20_000]
    assert changes.state.tolist() == [TrialState.FAILED, TrialState.RUNNING]
    assert changes.parameters["layers"].tolist() == [7, 20_000]
    assert len(columns.changes_since(changes.version)) == 0
    assert len(columns.changes_since(0)) == 20_001
    assert len(columns.changes_since(changes.version + 5)) == 20_001  # of another store: everything


def test_trials_that_were_aborted_before_they_began_are_counted(columns):
    columns.put([row(0, TrialState.FAILED), row(1, TrialState.QUEUED), row(2, TrialState.ABORTED, started=1.0)])
    assert columns.num_uncounted() == 0
    columns.put([row(1, TrialState.ABORTED)])
    assert columns.num_uncounted() == 1


def test_trials_whose_results_were_recorded_are_known_and_use_up_nothing(columns):
    columns.put([row(0), row(1, started=1.0), row(2, TrialState.PRUNED), row(3, TrialState.FAILED)])
    assert columns.snapshot().is_recorded.tolist() == [True, False, False, False]
    assert columns.num_uncounted() == 1


OTHERS = (TrialState.QUEUED, TrialState.RUNNING, TrialState.COMPLETED, TrialState.PRUNED)


def test_failed_points_are_each_named_once_by_their_first_trial_without_those_that_became_something_else(columns):
    failed = [row(number, TrialState.FAILED, values=None) for number in range(6)]
    again = [row(6 + n, state, parameters=failed[n].parameters, values=None) for n, state in enumerate(OTHERS)]
    more = [row(10 + n, TrialState.FAILED, parameters=failed[n].parameters, values=None) for n in (4, 4, 0, 5)]
    aborted = row(20, TrialState.ABORTED, parameters=failed[5].parameters, values=None)
    columns.put([*failed, *again, *more, aborted])
    snapshot = columns.snapshot()
    assert snapshot.failed_points() == [4, 5]
    assert snapshot.encoded([4, 5]) == [failed[4].parameters, failed[5].parameters]
    assert snapshot.failed_points([failed[4].parameters]) == [5]
    assert columns.snapshot().failed_points([failed[5].parameters, failed[4].parameters]) == []


def test_a_trial_fails_no_more_once_a_person_has_run_its_point_again_with_a_result(columns):
    point = [0.1, 2, 1]
    states = [TrialState.FAILED, TrialState.COMPLETED, TrialState.FAILED]
    columns.put([row(number, state, parameters=point, values=None) for number, state in enumerate(states)])
    assert columns.snapshot().fails_still().tolist() == [True, False, True]  # a strategy has repeated the point
    columns.put([row(3, TrialState.RUNNING, parameters=point, values=None, enqueued=True)])
    assert columns.snapshot().fails_still().tolist() == [True, False, True, False]
    columns.put([row(3, TrialState.PRUNED, parameters=point, values=None, enqueued=True)])
    columns.put([row(4, TrialState.FAILED, parameters=point, values=None, enqueued=True)])
    assert columns.snapshot().fails_still().tolist() == [False, False, False, False, True]


def test_failed_points_are_told_apart_by_what_does_not_apply_to_them(columns):
    points = [[0.1, None, None], [0.1, 2, None], [0.1, 2, 1], [None, 2, 1], [-0.0, 2, 1]]
    columns.put([row(n, TrialState.FAILED, parameters=point, values=None) for n, point in enumerate(points)])
    snapshot = columns.snapshot()
    assert snapshot.failed_points() == [0, 1, 2, 3, 4]
    assert snapshot.encoded(range(4)) == points[:4]
    assert snapshot.failed_points([[0.1, None, None], [0.1, 2, 1.0], [0.0, 2, 1]]) == [1, 3]


def test_no_points_have_failed_without_a_failed_trial(columns):
    assert columns.snapshot().failed_points() == []
    columns.put([row(0)])
    assert columns.snapshot().failed_points([[0.1, 0, 0]]) == []


def test_memory_does_not_grow_with_reports(columns):
    columns.put([row(number) for number in range(300)])
    reporting = row(299, TrialState.RUNNING)
    columns.put([reporting])
    tracemalloc.start()
    try:
        for _ in range(20_000):
            columns.put([reporting])
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    assert columns.changes_since(columns.snapshot().version - 20_000).numbers.tolist() == [299]


def test_changes_since_any_version_are_the_rows_that_were_written_after_it(columns):
    random = np.random.default_rng(0)
    written = []
    for count in (1, 700, 1, 2, 300, 1, 1, 40, 1):
        numbers = random.integers(0, 2_000, size=count).tolist()
        before = len(columns.snapshot())
        columns.put([row(number, TrialState.RUNNING) for number in numbers])
        # Rows that were skipped are new, too.
        written.append((columns.snapshot().version, {*numbers, *range(before, len(columns.snapshot()))}))
    columns.set_archived([0, 3], archived=True)
    written.append((columns.snapshot().version, {0, 3}))
    for index in range(len(written)):
        expected = set().union(*(numbers for _, numbers in written[index + 1 :]))
        assert columns.changes_since(written[index][0]).numbers.tolist() == sorted(expected)


def test_absent_values_keep_their_marks_through_growth(columns):
    for number in range(600):
        columns.put([row(number, TrialState.RUNNING, parameters=[None, None, None], values=None, iteration=None)])
    snapshot = columns.snapshot()
    assert np.isnan(snapshot.values).all()
    assert np.isnan(snapshot.parameters["lr"]).all()
    assert (snapshot.parameters["act"] == -1).all()
    assert (snapshot.iteration == -1).all()
    assert (snapshot.worker == -1).all()
    assert np.isnan(snapshot.ended).all()


def test_counts_follow_the_states(columns):
    columns.put([row(0, TrialState.RUNNING), row(2, TrialState.RUNNING)])
    assert columns.counts()[TrialState.QUEUED] == 1  # number 1 was skipped
    columns.put([row(1), row(0, TrialState.PRUNED), row(2, TrialState.FAILED)])
    counts = columns.counts()
    assert sum(counts.values()) == 3
    assert (counts[TrialState.COMPLETED], counts[TrialState.PRUNED], counts[TrialState.FAILED]) == (1, 1, 1)


def test_loading_a_journals_columns_is_as_putting_its_rows(columns):
    rows = [
        row(
            number,
            TrialState(number % 6),
            archived=number % 2 == 0,
            started=100.0,
            ended=float("nan") if number % 6 < 2 else 101.5,
            duration=0.25 if number % 5 == 0 and number % 6 > 1 else float("nan"),
            last_iteration=number % 4 - 1,
        )
        for number in range(700)
    ]
    columns.put(rows)
    before = columns.snapshot()
    bulk = {
        "number": before.numbers,
        **{
            name: getattr(before, name)
            for name in ("state", "values", "iteration", "started", "ended", "epoch", "worker", "archived", "enqueued")
        },
        "parameters": np.array([r.parameters for r in rows], dtype=float),
        "duration": np.array([r.duration for r in rows]),
        "last_iteration": np.array([r.last_iteration for r in rows]),
    }
    other = TrialColumns(COLUMNS, 1)
    other.load(bulk)
    after = other.snapshot()
    assert other.counts() == columns.counts()
    assert other.seconds_and_iterations() == columns.seconds_and_iterations() != (0.0, 0)
    for name in ("numbers", "state", "values", "seconds", "archived"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for name in after.parameters:
        np.testing.assert_array_equal(after.parameters[name], before.parameters[name])


def bulk_of(rows):
    """Rows as the columns of a journal."""
    one_each = ("number", "state", "started", "ended", "epoch", "worker", "archived", "enqueued", "duration")
    columns = {name: np.array([getattr(row, name) for row in rows]) for name in (*one_each, "last_iteration")}
    return columns | {
        "values": np.array([row.values for row in rows], dtype=float).reshape(len(rows), 1),
        "iteration": np.array([row.iteration for row in rows], dtype=np.int64).reshape(len(rows), 1),
        "parameters": np.array([row.parameters for row in rows], dtype=float).reshape(len(rows), len(COLUMNS)),
    }


def test_columns_of_some_rows_change_these_and_no_others(columns):
    columns.load(bulk_of([row(number) for number in range(600)]))
    version = columns.snapshot().version
    columns.load(bulk_of([row(3, TrialState.FAILED), row(602)]))
    # Rows that were skipped are queued.
    assert columns.changes_since(version).numbers.tolist() == [3, 600, 601, 602]
    assert columns.counts()[TrialState.QUEUED] == 2
    assert columns.state_of(3) is TrialState.FAILED


def test_a_reader_of_replaced_rows_gets_all_that_there_are(columns):
    assert columns.snapshot().is_anew is False
    columns.load(bulk_of([row(number) for number in range(600)]))
    columns.set_remarks({5: Remark("odd")})
    before = columns.snapshot().version
    columns.replace(bulk_of([row(0), row(1, TrialState.RUNNING)]))
    columns.put([row(2)])
    changes = columns.changes_since(before)
    assert (changes.numbers.tolist(), changes.is_anew, changes.remarks) == ([0, 1, 2], True, {})
    assert (len(columns.snapshot()), columns.counts()[TrialState.COMPLETED]) == (3, 2)
    columns.put([row(5)])
    later = columns.changes_since(changes.version)
    assert (later.numbers.tolist(), later.is_anew) == ([3, 4, 5], False)
    assert np.isnan(columns.snapshot().values[3:5]).all()  # nothing of the former row 4 is left
    columns.replace(bulk_of([]))
    assert (len(columns.snapshot()), columns.changes_since(changes.version).is_anew) == (0, True)
    # Who knows nothing yet has nothing to forget.
    assert columns.changes_since(0).is_anew is False


def test_seconds_and_iterations_follow_the_rows(columns):
    nan = float("nan")
    columns.put([row(0, TrialState.RUNNING, started=100.0, last_iteration=7), row(1, started=100.0, ended=90.0)])
    assert columns.seconds_and_iterations() == (0.0, 7)  # a clock was set back before the end
    columns.put([row(0, started=100.0, ended=103.0, duration=2.5, last_iteration=9), row(2, ended=nan, duration=nan)])
    assert columns.seconds_and_iterations() == (2.5, 9)


def test_a_snapshot_does_not_change_any_more(columns):
    columns.put([row(0, TrialState.RUNNING)])
    snapshot = columns.snapshot()
    columns.put([row(0)])
    assert snapshot.state.tolist() == [TrialState.RUNNING]


def test_archiving_is_a_change(columns):
    columns.put([row(0), row(1)])
    version = columns.snapshot().version
    columns.set_archived([1], archived=True)
    assert columns.changes_since(version).numbers.tolist() == [1]
    assert columns.archived([0, 1]) == {0: False, 1: True}


def test_a_trial_that_is_not_there_is_an_index_error(columns):
    columns.put([row(0)])
    for number in (-1, 1):
        with pytest.raises(IndexError, match=f"no trial {number}: the search has 1"):
            columns.state_of(number)


def test_a_front_that_is_kept_by_changes_is_that_of_all_completed_trials():
    columns = TrialColumns(COLUMNS, 2)
    front = Front(make_objectives(["a", "b"], ["x", "y"], ["min", "max"]))
    random, version = np.random.default_rng(0), 0
    states = [TrialState.COMPLETED, TrialState.RUNNING, TrialState.FAILED]
    for _ in range(20):
        rows = [
            row(int(number), random.choice(states, p=[0.8, 0.1, 0.1]), values=random.integers(0, 30, 2).tolist())
            for number in random.integers(0, 200, 20)
        ]
        columns.put(rows[:5] if not version else rows)
        changes = columns.changes_since(version)
        version = changes.version
        front.put(changes, columns.snapshot)
    everything = columns.snapshot()
    completed = np.flatnonzero((everything.state == TrialState.COMPLETED) & ~np.isnan(everything.values).any(axis=1))
    assert len(front.numbers) > 1
    assert front.numbers == completed[pareto_front(everything.values[completed], [True, False])].tolist()


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_trial_with_a_value_that_is_not_finite_is_not_on_a_front(value):
    columns = TrialColumns(COLUMNS, 2)
    front = Front(make_objectives(["loss", "seconds"], ["x", "y"], ["min", "min"]))
    columns.put([row(0, values=[0.5, 9.0]), row(1, values=[value, 0.1]), row(2, values=[0.25, 10.0])])
    front.put(columns.snapshot(), columns.snapshot)
    assert front.numbers == [0, 2]


def test_a_remark_changes_its_row_and_readers_keep_what_they_have(columns):
    columns.put([row(number) for number in range(3)])
    before = columns.snapshot()
    columns.set_remarks({1: Remark("stable", ("baseline",)), 9: Remark("of no trial")})
    changes = columns.changes_since(before.version)
    assert changes.numbers.tolist() == [1]
    assert changes.remarks == {1: Remark("stable", ("baseline",))}
    assert before.remarks == {}
    assert columns.snapshot().where(np.array([0])).remarks == changes.remarks


def test_a_trial_that_is_left_out_is_in_that_state_until_it_is_taken_back(columns):
    columns.put([row(0), row(1, TrialState.FAILED), row(2), row(3, TrialState.RUNNING)])
    before = columns.snapshot()
    assert columns.set_remarks({number: Remark(left_out=True) for number in (0, 1, 3, 9)}) == [0, 1]
    changes = columns.changes_since(before.version)
    assert dict(zip(changes.numbers.tolist(), changes.state.tolist(), strict=True)) == {
        0: TrialState.LEFT_OUT, 1: TrialState.LEFT_OUT, 3: TrialState.RUNNING,
    }  # fmt: skip
    assert changes.values[0] == before.values[0]
    assert columns.state_of(0) is TrialState.LEFT_OUT
    counts = {state: count for state, count in columns.counts().items() if count}
    assert counts == {TrialState.LEFT_OUT: 2, TrialState.COMPLETED: 1, TrialState.RUNNING: 1}
    columns.put([row(0, archived=True)])  # written again, as when it is archived
    assert columns.state_of(0) is TrialState.LEFT_OUT
    assert columns.set_remarks({number: Remark() for number in (0, 1, 2)}) == [0, 1]
    assert columns.snapshot().state.tolist() == before.state.tolist()


def test_a_trial_that_is_marked_is_left_out_whenever_it_has_ended_and_only_then(columns):
    columns.put([row(0), row(1, TrialState.RUNNING)])
    columns.set_remarks({number: Remark(left_out=True) for number in (0, 1)})
    columns.put([row(0, TrialState.RUNNING), row(1)])
    assert [columns.state_of(number) for number in (0, 1)] == [TrialState.RUNNING, TrialState.LEFT_OUT]
    assert columns.counts()[TrialState.LEFT_OUT] == 1
    columns.load(bulk_of([row(0), row(1, TrialState.RUNNING)]))
    assert [columns.state_of(number) for number in (0, 1)] == [TrialState.LEFT_OUT, TrialState.RUNNING]


def test_a_result_that_was_recorded_uses_up_nothing_while_it_is_left_out(columns):
    columns.put([row(0), row(1, started=1.0)])
    columns.set_remarks({0: Remark(left_out=True), 1: Remark(left_out=True)})
    assert columns.num_uncounted() == 1


def store(signs):
    objectives = tuple(Objective(sign, "x", sign) for sign in signs)
    made = TrialStore(Space([UniformParameterRange("x", 0, 1)]), objectives)
    return made, objectives


def ranked_row(number, state, values):
    return TrialRow(number, int(state), 0, parameters=[0.5], values=values, started=1.0)


_STATES = st.sampled_from([TrialState.COMPLETED, TrialState.FAILED, TrialState.PRUNED])


@given(
    signs=st.sampled_from([("min",), ("max",), ("min", "max")]),
    trials=st.lists(st.tuples(_STATES, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12),
    steps=st.lists(st.tuples(st.integers(0, 11), st.booleans()), max_size=20),
)
def test_the_ranking_and_the_front_are_those_of_a_search_without_what_is_left_out(signs, trials, steps):
    rows = [ranked_row(number, state, list(values[: len(signs)])) for number, (state, *values) in enumerate(trials)]
    shown, objectives = store(signs)
    shown.put(rows)
    shown.rank_all(rows)
    front, version, left_out = Front(objectives), 0, set()
    for number, is_out in steps:
        shown.set_remarks({number: Remark(left_out=is_out)})
        (left_out.add if is_out else left_out.discard)(number)
        changes = shown.columns.changes_since(version)
        front.put(changes, shown.columns.snapshot)
        version = changes.version
        others, _ = store(signs)
        kept = [one for one in rows if one.number not in left_out]
        others.put(kept)
        others.rank_all(kept)
        assert shown.top(12) == others.top(12)
        assert [shown.best(place) for place in range(len(signs))] == [others.best(place) for place in range(len(signs))]
        whole = Front(objectives)
        if kept:
            whole.put(others.columns.snapshot(), others.columns.snapshot)
        assert front.numbers == whole.numbers


def test_of_a_hundred_thousand_trials_the_best_is_left_out_without_ranking_all_anew(monkeypatch):
    shown, _ = store(("min",))
    rows = [ranked_row(number, TrialState.COMPLETED, [float(number)]) for number in range(100_000)]
    shown.put(rows)
    shown.rank_all(rows)
    ranked = []
    monkeypatch.setattr(shown, "_rank", lambda *result, rank=shown._rank: ranked.append(result) or rank(*result))
    shown.set_remarks({number: Remark(left_out=True) for number in range(3)})
    assert shown.top(3) == [3, 4, 5]
    assert len(ranked) == 3
    shown.set_remarks({1: Remark()})
    assert shown.top(3) == [1, 3, 4]
    assert len(ranked) == 4
