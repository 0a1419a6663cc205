"""Durable before shown."""

from __future__ import annotations

import pytest

from hpo_widgets.controller.recorder import FLUSH_ROWS, Recorder
from hpo_widgets.journal import Journal, JournalError
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
    assert len(recorder.shown.columns) == 50


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
    assert len(recorder.shown.columns) == 0
    assert recorder.due is not None
    connection.execute("PRAGMA max_page_count = 1000000")
    recorder.flush()
    assert len(recorder.shown.columns) == 3
    with Journal.view(recorder.path) as reader:
        assert [found.number for found in reader.trials()[1]] == [0, 1, 2]


def test_many_rows_are_due_at_once(recorder):
    for number in range(FLUSH_ROWS + 1):
        recorder.change(row(number))
    assert recorder.due == 0.0


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
