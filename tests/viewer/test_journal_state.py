"""What a journal's events make of a search."""

from __future__ import annotations

import datetime as dt

import pytest

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.search import MOST_NOTICES, STOP_CODES, SearchStatus
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space
from hpo_widgets.space.range_history import undo_and_redo
from hpo_widgets.trials import Remark
from hpo_widgets.viewer.journal_state import JournalState
from tests.headers import header

SPACE = Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b"])])
OBJECTIVES = [["validation", "loss", "min"], ["validation", "accuracy", "max_global"]]
HEADER = header(SPACE, 9, objectives=OBJECTIVES)
START = {"kind": "start", "at": 600.0}


@pytest.fixture
def journal_state():
    return JournalState(HEADER)


def end(code="total_max_jobs", wall_minutes=1.5, at=700.0):
    return {"kind": "end", "at": at, "code": code, "sentence": f"it was {code}", "wall_minutes": wall_minutes}


def narrowed(space, ranges, epoch, first_number, step="set", at=650.0):
    space = space.with_ranges(ranges)
    event = {"kind": "set_ranges", "at": at, "epoch": epoch, "first_number": first_number, "space": space.to_dict()}
    return space, {**event, "step": step}


def test_the_header_alone_is_an_idle_search(journal_state):
    assert journal_state.name == "digits"
    assert [objective.key for objective in journal_state.objectives] == ["validation/loss", "validation/accuracy"]
    assert journal_state.settings == Settings(2, total_max_jobs=9)
    assert journal_state.space.ranges == SPACE.ranges
    assert journal_state.status(owner_is_alive=True) is SearchStatus.IDLE
    assert journal_state.stop_reason is None


@pytest.mark.parametrize(("told", "kept"), [(5, 5), (-1, None), ("5", None), (True, None), (None, None)])
def test_the_end_of_a_run_says_from_which_draw_the_next_goes_on(journal_state, told, kept):
    journal_state.follow([START, {**end(), "draws": told}])
    assert (journal_state.num_draws, journal_state.stop_reason.code) == (kept, "total_max_jobs")
    journal_state.follow([START])
    assert journal_state.num_draws is None


def test_status_follows_start_pause_resume_and_end(journal_state):
    seen = []
    for event in (START, {"kind": "pause", "at": 1}, {"kind": "resume", "at": 2}, {"kind": "pause", "at": 3}, end()):
        journal_state.follow([event])
        seen.append(journal_state.status(owner_is_alive=True).value)
    assert seen == ["running", "paused", "running", "paused", "completed"]


@pytest.mark.parametrize("code", STOP_CODES)
def test_each_stop_reason_has_its_status(journal_state, code):
    journal_state.follow([START, end(code)])
    expected = {
        "stopped": SearchStatus.STOPPED,
        "max_failures": SearchStatus.FAILED,
        "objective_never_reported": SearchStatus.FAILED,
        "launch_failed": SearchStatus.FAILED,
        "error": SearchStatus.FAILED,
    }.get(code, SearchStatus.COMPLETED)
    assert journal_state.status(owner_is_alive=False) is expected
    assert (journal_state.stop_reason.code, str(journal_state.stop_reason)) == (code, f"it was {code}")


def test_without_its_owner_a_running_search_is_stopped_and_a_paused_one_paused(journal_state):
    journal_state.follow([START])
    assert journal_state.status(owner_is_alive=False) is SearchStatus.STOPPED
    journal_state.follow([{"kind": "pause", "at": 601.0}])
    assert journal_state.status(owner_is_alive=False) is SearchStatus.PAUSED


def test_another_start_forgets_why_the_last_run_ended(journal_state):
    journal_state.follow([START, end("stopped"), {"kind": "start", "at": 900.0}])
    assert journal_state.stop_reason is None
    assert journal_state.status(owner_is_alive=True) is SearchStatus.RUNNING
    assert (journal_state.wall_before, journal_state.run_began) == (1.5, 900.0)


def test_a_start_says_what_earlier_runs_took_of_which_one_may_have_had_no_end(journal_state):
    journal_state.follow([START, {"kind": "start", "at": 900.0, "wall_minutes": 4.0}])
    assert (journal_state.wall_before, journal_state.run_began) == (4.0, 900.0)
    journal_state.follow([{"kind": "start", "at": 1000.0, "wall_minutes": -1.0}])
    assert (journal_state.wall_before, journal_state.num_unknown_events) == (4.0, 1)


def test_a_run_that_was_interrupted_counts_up_to_its_last_sign_of_life(journal_state):
    journal_state.follow([START, end(wall_minutes=2.0), {"kind": "start", "at": 900.0}])
    journal_state.end_interrupted(930.0)
    assert journal_state.wall_before == pytest.approx(2.5)
    assert not journal_state.is_running
    journal_state.end_interrupted(990.0)  # there is no run any more
    assert journal_state.wall_before == pytest.approx(2.5)


@pytest.mark.parametrize("at", [-1e6, 1e6])
def test_a_run_is_computed_from_where_the_clock_was_set(journal_state, at):
    journal_state.follow([START, {"kind": "clock_set", "at": at, "wall_minutes": 2.0}])
    journal_state.end_interrupted(at + 60)
    assert journal_state.wall_before == 3.0


def test_a_last_sign_before_the_start_takes_nothing_off(journal_state):
    journal_state.follow([START])
    journal_state.end_interrupted(500.0)
    assert journal_state.wall_before == 0.0


def test_epochs_tell_what_changed_and_from_which_trial_on(journal_state):
    space, first = narrowed(SPACE, {"x": (0.2, 0.8)}, 1, 4)
    _, second = narrowed(space, {"kind": ("a",)}, 2, 7, at=660.0)
    journal_state.follow([START, first, second])
    marks = journal_state.ranges.marks
    assert [(mark.epoch, mark.first_number, mark.changed, mark.at) for mark in marks] == [
        (0, 0, {}, 600.0),
        (1, 4, {"x": (0.2, 0.8)}, 650.0),
        (2, 7, {"kind": ("a",)}, 660.0),
    ]
    assert journal_state.space.ranges == marks[-1].ranges == {"x": (0.2, 0.8), "kind": ("a",)}
    assert journal_state.declared_space.ranges == SPACE.ranges


def test_a_space_with_more_choices_is_followed_and_one_with_other_choices_is_not(journal_state):
    more = SPACE.with_choices({"kind": ["c"]})
    _, first = narrowed(more, {}, 1, 4)
    _, other = narrowed(
        Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["b", "a", "c"])]), {}, 2, 5
    )
    _, fewer = narrowed(SPACE, {"kind": ("a",)}, 3, 6)
    journal_state.follow([START, first, other, fewer])
    assert journal_state.num_unknown_events == 2
    assert journal_state.space.ranges["kind"] == ("a", "b", "c")
    assert journal_state.declared_space.ranges["kind"] == ("a", "b")
    assert journal_state.declared_space.decode([0.5, 2]) == {"x": 0.5, "kind": "c"}


def test_undo_redo_and_a_new_change_leave_the_way_that_the_search_had(journal_state):
    def ways():
        undo, redo = undo_and_redo(journal_state.ranges.marks)
        return [mark.ranges["x"] for mark in undo], [mark.ranges["x"] for mark in redo]

    half, first = narrowed(SPACE, {"x": (0, 0.5)}, 1, 1)
    whole, second = narrowed(half, {"x": (0, 1)}, 2, 2, "undo")
    _, third = narrowed(whole, {"x": (0, 0.5)}, 3, 3, "redo")
    _, fourth = narrowed(half, {"x": (0, 1)}, 4, 4, "undo")
    _, fifth = narrowed(whole, {"x": (0.9, 1)}, 5, 5)
    journal_state.follow([first])
    assert ways() == ([(0, 1)], [])
    journal_state.follow([second])
    assert ways() == ([], [(0, 0.5)])
    journal_state.follow([third])
    assert ways() == ([(0, 1)], [])
    journal_state.follow([fourth, fifth])
    assert ways() == ([(0, 1)], [])
    assert [mark.step for mark in journal_state.ranges.marks] == ["set", "set", "undo", "redo", "undo", "set"]


def test_the_first_epoch_begins_with_the_first_event_and_no_notice_of_a_viewer_moves_it(journal_state):
    notice = {"kind": "notice", "at": 900.0, "source": "command", "sentence": "stop did nothing"}
    journal_state.follow([notice])
    assert journal_state.ranges.marks[0].at == 0.0
    journal_state.follow([START, end(), {"kind": "start", "at": 1000.0}])
    assert journal_state.ranges.marks[0].at == 600.0


def test_of_many_notices_the_newest_are_shown(journal_state):
    journal_state.follow(
        {"kind": "notice", "at": float(n), "source": "callback", "sentence": f"trial {n}"}
        for n in range(MOST_NOTICES + 3)
    )
    assert len(journal_state.notices) == MOST_NOTICES
    assert journal_state.notices[0].sentence == "trial 3"
    assert journal_state.notices[-1].sentence == f"trial {MOST_NOTICES + 2}"


def test_a_start_that_worked_takes_back_what_failed_ones_said_and_nothing_else(journal_state):
    said = [
        ("command", "start: there is no queue 'x'"),
        ("command", "resume: there is no queue 'x'"),
        ("command", "pause: the disk is full"),
        ("worker", "start: a worker died"),
    ]
    notices = [
        {"kind": "notice", "at": float(at), "source": source, "sentence": sentence}
        for at, (source, sentence) in enumerate(said)
    ]
    journal_state.follow(notices)
    assert len(journal_state.notices) == 4
    journal_state.follow([{"kind": "start", "at": 5.0}])
    assert [(notice.source, notice.sentence) for notice in journal_state.notices] == said[2:]
    # A later one is a start of its own.
    journal_state.follow([{**notices[0], "at": 6.0}])
    assert len(journal_state.notices) == 3


def test_settings_deadline_enqueued_and_notices_are_kept(journal_state):
    point = SPACE.encode({"x": 0.5, "kind": "b"})
    journal_state.follow(
        [
            {"kind": "settings", "at": 1.0, "changes": {"total_max_jobs": 20, "compute_time_limit": 3.0}},
            {"kind": "set_time_limit", "at": 2.0, "deadline": "2030-01-01T10:00:00"},
            {"kind": "enqueue_trial", "at": 3.0, "parameters": point},
            {"kind": "notice", "at": 4.0, "source": "worker", "sentence": "a worker died"},
            {"kind": "report", "at": 5.0, "budget": {}, "top": []},
            {"kind": "of a later version", "at": 6.0},
        ]
    )
    assert (journal_state.settings.total_max_jobs, journal_state.settings.compute_time_limit) == (20, 3.0)
    assert journal_state.deadline == dt.datetime.fromisoformat("2030-01-01T10:00")
    assert journal_state.has_own_deadline
    assert journal_state.enqueued == [point]
    assert [(notice.source, notice.sentence, notice.at) for notice in journal_state.notices] == [
        ("worker", "a worker died", 4.0)
    ]
    assert HEADER["settings"]["total_max_jobs"] == 9


def test_a_deadline_is_local_time_here_also_where_the_journal_was_written_in_another_zone(journal_state, berlin):
    for recorded in ("2030-01-01T10:00:00", "2030-01-01T10:00:00+01:00", "2030-01-01T03:00:00-06:00"):
        journal_state.follow([{"kind": "set_time_limit", "at": 2.0, "deadline": recorded}])
        assert journal_state.deadline == dt.datetime.fromisoformat("2030-01-01T10:00")


def test_events_that_are_not_understood_are_skipped_and_counted(journal_state):
    _, narrower = narrowed(SPACE, {"x": (0.2, 0.8)}, 1, 4)
    journal_state.follow(
        [
            START,
            {"kind": "of a later release", "at": 601.0},
            {"kind": "settings", "at": 602.0, "changes": {"total_max_jobs": 20, "of_a_later_release": 1}},
            {"kind": "set_ranges", "at": 603.0, "epoch": 1, "first_number": 0, "space": {"version": 99}},
            {"kind": "end", "at": 604.0},
            {"kind": "notice", "at": 605.0},
            {"kind": "report", "at": 606.0, "budget": {}, "top": []},
            narrower,
        ]
    )
    assert journal_state.num_unknown_events == 5
    assert journal_state.status(owner_is_alive=True) is SearchStatus.RUNNING
    assert journal_state.settings.total_max_jobs == 20
    assert journal_state.space.ranges["x"] == (0.2, 0.8)


def test_a_deadline_that_was_taken_away_is_no_limit_of_the_constructor_again(journal_state):
    journal_state.follow([{"kind": "set_time_limit", "at": 2.0, "deadline": None}])
    assert (journal_state.deadline, journal_state.has_own_deadline) == (None, True)


def test_notes_and_tags_are_the_newest_of_each_trial(journal_state):
    events = [
        {"kind": "set_note", "number": 3, "note": "first"},
        {"kind": "set_tags", "number": 3, "tags": ["a"]},
        {"kind": "set_note", "number": 3, "note": "second"},
    ]
    journal_state.follow([{"at": 1.0, **event} for event in events])
    assert journal_state.remarks == {3: Remark("second", ("a",))}


def test_trials_are_left_out_until_they_are_taken_back_and_keep_their_notes(journal_state):
    events = [
        {"kind": "set_note", "number": 3, "note": "wrong data"},
        {"kind": "leave_out", "numbers": [3, 5]},
        {"kind": "take_back", "numbers": [5]},
    ]
    journal_state.follow([{"at": 1.0, **event} for event in events])
    assert journal_state.remarks == {3: Remark("wrong data", left_out=True), 5: Remark()}


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "set_note", "number": "3", "note": "x"},
        {"kind": "set_note", "number": 3, "note": 5},
        {"kind": "set_note", "number": 3, "note": "x" * 5000},
        {"kind": "set_note", "number": 3},
        {"kind": "set_tags", "number": 3, "tags": "abc"},
        {"kind": "set_tags", "number": True, "tags": []},
        {"kind": "set_tags", "number": 3, "tags": [["a"]]},
        {"kind": "leave_out", "numbers": 3},
        {"kind": "leave_out", "numbers": [3, "4"]},
        {"kind": "take_back", "numbers": [True]},
        {"kind": "take_back"},
    ],
    ids=str,
)
def test_a_note_or_tag_that_makes_no_sense_is_skipped(journal_state, event):
    journal_state.follow([{"at": 1.0, **event}])
    assert (journal_state.remarks, journal_state.num_unknown_events) == ({}, 1)
