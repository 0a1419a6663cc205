"""Durable before shown."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import time

import pytest

from hpo_widgets.controller import recorder as recorder_module
from hpo_widgets.controller.recorder import FLUSH_ROWS, RecordedHistory, Recorder
from hpo_widgets.journal import Journal, JournalBusy, JournalError, JournalReader
from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import UniformParameterRange
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialRow, TrialState


@pytest.fixture
def recorder(tmp_path):
    space = Space([UniformParameterRange("x", 0, 1)])
    made = Recorder("one", tmp_path / "one.sqlite", {"name": "one"}, space, make_objectives("a", "b", "min"))
    made.open_journal()
    yield made
    made.close_journal()


def row(number, state=TrialState.COMPLETED, value=1.0):
    return TrialRow(number, int(state), 0, [0.5], values=[value], iteration=[0])


def test_a_subscriber_sees_only_what_a_second_connection_can_read(recorder):
    differences = []
    with Journal.view(recorder.path) as reader:

        def compare():
            shown = recorder.shown.columns.snapshot()
            durable = {found.number: found.state for found in reader.trials()[1]}
            differences.extend(
                number
                for number, state in zip(shown.numbers.tolist(), shown.state.tolist(), strict=True)
                if durable.get(number) != state
            )

        recorder.shown.subscribe(compare)
        for number in range(50):
            recorder.change(row(number, TrialState.RUNNING))
            recorder.flush()
            recorder.ended(row(number))
            recorder.flush()
    assert differences == []
    assert len(recorder.shown.columns.snapshot()) == 50


def test_ends_follow_in_order_with_the_best_then(recorder):
    ended = []
    recorder.on_ended = lambda changed, best: ended.append((changed.number, best))
    for number, value in ((1, 3.0), (0, 2.0), (2, 4.0)):
        recorder.ended(row(number, value=value))
    assert ended == []
    recorder.flush()
    assert ended == [(1, 1), (0, 0), (2, 0)]


def test_what_could_not_be_written_is_not_shown_and_waits(recorder):
    for number in range(3):
        recorder.ended(row(number))
        recorder.output(number, "x" * 50_000, "", "")
    connection = recorder._journal._connection
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(JournalError, match="the disk is full"):
        recorder.flush()
    assert len(recorder.shown.columns.snapshot()) == 0
    assert recorder.due is not None
    connection.execute("PRAGMA max_page_count = 1000000")
    recorder.flush()
    assert len(recorder.shown.columns.snapshot()) == 3
    with Journal.view(recorder.path) as reader:
        assert [found.number for found in reader.trials()[1]] == [0, 1, 2]


def test_a_lock_at_the_moment_of_archiving_the_last_trial_is_waited_for(tmp_path, monkeypatch):
    def is_busy(*_arguments, **_keywords):
        raise JournalBusy("locked")

    space = Space([UniformParameterRange("x", 0, 1)])
    objectives = make_objectives("a", "b", "min")
    recorder = Recorder("one", tmp_path / "one.sqlite", {"name": "one"}, space, objectives, save_top_k=1)
    recorder.open_journal()
    for number in range(2):
        recorder.ended(row(number, value=float(number)))
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "set_archived", is_busy)
        recorder.flush()
    assert recorder.locked_since is not None
    recorder.flush()
    assert recorder.locked_since is None
    assert recorder.shown.columns.snapshot().archived.tolist() == [False, True]
    with Journal.view(recorder.path) as reader:
        assert [found.archived for found in reader.trials()[1]] == [False, True]
    recorder.close_journal()


def test_many_rows_are_due_at_once(recorder):
    for number in range(FLUSH_ROWS + 1):
        recorder.change(row(number))
    assert recorder.due == 0.0


@pytest.mark.parametrize("rest", [0.0, math.inf], ids=["after a rest", "soon after the last commit"])
def test_a_change_waits_for_others_only_where_some_are_to_be_expected(recorder, monkeypatch, rest):
    monkeypatch.setattr(recorder_module, "_REST_SECONDS", rest)
    recorder.flush()
    before = time.monotonic()
    recorder.change(row(0))
    after = time.monotonic()
    assert recorder.due >= before
    assert (recorder.due <= after) == (rest == 0.0)


def test_after_the_end_a_notice_does_not_read_the_whole_file_again(recorder, monkeypatch):
    recorder.close_journal()
    read = []
    monkeypatch.setattr(JournalReader, "check_whole", lambda reader: read.append(reader.path))
    for number in range(3):
        recorder.event("notice", source="search", sentence=f"number {number}")
        recorder.flush()
    assert read == []
    with Journal.view(recorder.path) as reader:
        assert [event["sentence"] for event in reader.events()] == ["number 0", "number 1", "number 2"]


def test_curves_are_those_of_the_first_objective_with_the_first_value_of_each_iteration(recorder):
    for title, value, at in (("a", 1.0, 0), ("a", 2.0, 1), ("other", 9.0, 2), ("a", 3.0, 1), ("a", 4.0, -1)):
        recorder.scalar(0, title, "b", value, at)
    for number in range(2):
        recorder.ended(row(number))
    recorder.flush()
    assert recorder.curves([0, 1, 2]) == {0: {0: 1.0, 1: 2.0}, 1: {}, 2: {}}
    assert recorder.curves([]) == {}


def reports_of_three_trials(recorder):
    for number in range(3):
        recorder.scalar(number, "a", "b", float(number), 0)
        recorder.ended(row(number))
        recorder.flush()


def test_a_damaged_report_costs_the_curve_of_its_trial_only(recorder):
    reports_of_three_trials(recorder)
    recorder.close_journal()
    with contextlib.closing(sqlite3.connect(recorder.path)) as connection, connection:
        connection.execute("UPDATE scalars SET crc = crc + 1 WHERE key = (SELECT MIN(key) FROM scalars)")
    curves = recorder.curves([0, 1, 2])
    assert curves.get(0, {}) == {}
    assert (curves[1], curves[2]) == ({0: 1.0}, {0: 2.0})


def test_so_many_reports_are_read_for_curves_and_the_newest_trials_first(recorder, monkeypatch):
    monkeypatch.setattr(recorder_module, "MOST_REPORTS", 2)
    reports_of_three_trials(recorder)
    assert recorder.curves([0, 1, 2]) == {1: {0: 1.0}, 2: {0: 2.0}}


def test_before_the_first_start_nothing_makes_a_file(tmp_path):
    space = Space([UniformParameterRange("x", 0, 1)])
    made = Recorder("two", tmp_path / "two.sqlite", {"name": "two"}, space, make_objectives("a", "b", "min"))
    made.event("set_ranges")
    made.flush()
    assert list(tmp_path.iterdir()) == []
    made.open_journal()
    made.flush()
    made.close_journal()
    with Journal.view(made.path) as reader:
        assert [event["kind"] for event in reader.events()] == ["set_ranges"]


def test_a_trial_before_the_first_start_makes_the_file_with_all_that_waited(tmp_path):
    space = Space([UniformParameterRange("x", 0, 1)])
    made = Recorder("two", tmp_path / "two.sqlite", {"name": "two"}, space, make_objectives("a", "b", "min"))
    made.event("set_ranges")
    for number in range(2):
        made.ended(row(number))
        made.flush()
    with Journal.view(made.path) as reader:
        assert reader.owner() is None
        assert [event["kind"] for event in reader.events()] == ["set_ranges"]
        assert [found.number for found in reader.trials()[1]] == [0, 1]
    assert len(made.shown.columns.snapshot()) == 2
    made.open_journal()
    made.close_journal()


SPACE = Space([UniformParameterRange("x", 0, 1)])


class EndedRows:
    """Ended rows, and how often somebody asked for them."""

    def __init__(self, rows):
        self.rows = rows
        self.unwritten = []
        self.times_read = 0
        self.locked_since = None

    def ended_rows(self):
        self.times_read += 1
        return self.rows

    def unwritten_ends(self):
        return self.unwritten


@pytest.fixture
def ended():
    return EndedRows([row(number, value=float(number)) for number in range(6)])


def test_the_journal_is_read_when_somebody_looks_and_once(ended):
    history = RecordedHistory(ended, SPACE, 6, frozenset())
    assert ended.times_read == 0
    assert len(history) == 6
    assert [observation.number for observation in history] == list(range(6))
    assert history[-1].values == (5.0,)
    assert [observation.number for observation in history[1:3]] == [1, 2]
    assert ended.times_read == 1


def test_trials_that_are_told_one_by_one_later_are_not_in_it(ended):
    history = RecordedHistory(ended, SPACE, 4, frozenset({1, 2}))
    assert [observation.number for observation in history] == [0, 3]


def test_a_history_stays_as_it_was_when_it_was_read(ended):
    history = RecordedHistory(ended, SPACE, 10, frozenset())
    assert len(history) == 6
    ended.rows.append(row(6))
    assert len(history) == 6


def test_ends_that_a_lock_keeps_from_the_journal_are_in_it_too(ended):
    ended.unwritten = [row(7), row(6), row(5, value=9.0)]
    history = RecordedHistory(ended, SPACE, 8, frozenset())
    assert [observation.number for observation in history] == list(range(8))
    assert history[5].values == (9.0,)
