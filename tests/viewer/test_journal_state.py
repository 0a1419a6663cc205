"""What a journal's events make of a search."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.search import MOST_NOTICES, STOP_CODES, SearchStatus
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space
from hpo_widgets.viewer.journal_state import Chronicle

SPACE = Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", "b"])])
HEADER = {
    "name": "digits",
    "objectives": [["validation", "loss", "min"], ["validation", "accuracy", "max_global"]],
    "settings": asdict(Settings(2, total_max_jobs=9)),
    "space": SPACE.to_dict(),
    "strategy": "RandomSearch",
}
START = {"kind": "start", "at": 600.0}


@pytest.fixture
def chronicle():
    return Chronicle(HEADER)


def end(code="total_max_jobs", wall_minutes=1.5, at=700.0):
    return {"kind": "end", "at": at, "code": code, "sentence": f"it was {code}", "wall_minutes": wall_minutes}


def narrowed(space, ranges, epoch, first_number, step="set", at=650.0):
    space = space.with_ranges(ranges)
    event = {"kind": "set_ranges", "at": at, "epoch": epoch, "first_number": first_number, "space": space.to_dict()}
    return space, {**event, "step": step}


def test_the_header_alone_is_an_idle_search(chronicle):
    assert chronicle.name == "digits"
    assert [objective.key for objective in chronicle.objectives] == ["validation/loss", "validation/accuracy"]
    assert chronicle.settings == Settings(2, total_max_jobs=9)
    assert chronicle.space.ranges == SPACE.ranges
    assert chronicle.status(owner_is_alive=True) is SearchStatus.IDLE
    assert chronicle.stop_reason is None


def test_status_follows_start_pause_resume_and_end(chronicle):
    seen = []
    for event in (START, {"kind": "pause", "at": 1}, {"kind": "resume", "at": 2}, {"kind": "pause", "at": 3}, end()):
        chronicle.follow([event])
        seen.append(chronicle.status(owner_is_alive=True).value)
    assert seen == ["running", "paused", "running", "paused", "completed"]


@pytest.mark.parametrize("code", STOP_CODES)
def test_each_stop_reason_has_its_status(chronicle, code):
    chronicle.follow([START, end(code)])
    expected = {
        "stopped": SearchStatus.STOPPED,
        "max_failures": SearchStatus.FAILED,
        "objective_never_reported": SearchStatus.FAILED,
        "launch_failed": SearchStatus.FAILED,
        "error": SearchStatus.FAILED,
    }.get(code, SearchStatus.COMPLETED)
    assert chronicle.status(owner_is_alive=False) is expected
    assert (chronicle.stop_reason.code, str(chronicle.stop_reason)) == (code, f"it was {code}")


def test_without_its_owner_a_running_search_is_stopped_and_a_paused_one_paused(chronicle):
    chronicle.follow([START])
    assert chronicle.status(owner_is_alive=False) is SearchStatus.STOPPED
    chronicle.follow([{"kind": "pause", "at": 601.0}])
    assert chronicle.status(owner_is_alive=False) is SearchStatus.PAUSED


def test_another_start_forgets_why_the_last_run_ended(chronicle):
    chronicle.follow([START, end("stopped"), {"kind": "start", "at": 900.0}])
    assert chronicle.stop_reason is None
    assert chronicle.status(owner_is_alive=True) is SearchStatus.RUNNING
    assert (chronicle.wall_before, chronicle.run_began) == (1.5, 900.0)


def test_a_run_that_was_interrupted_counts_up_to_its_last_sign_of_life(chronicle):
    chronicle.follow([START, end(wall_minutes=2.0), {"kind": "start", "at": 900.0}])
    chronicle.end_interrupted(930.0)
    assert chronicle.wall_before == pytest.approx(2.5)
    assert not chronicle.is_running
    chronicle.end_interrupted(990.0)  # there is no run any more
    assert chronicle.wall_before == pytest.approx(2.5)


def test_a_last_sign_before_the_start_takes_nothing_off(chronicle):
    chronicle.follow([START])
    chronicle.end_interrupted(500.0)
    assert chronicle.wall_before == 0.0


def test_epochs_tell_what_changed_and_from_which_trial_on(chronicle):
    space, first = narrowed(SPACE, {"x": (0.2, 0.8)}, 1, 4)
    _, second = narrowed(space, {"kind": ("a",)}, 2, 7, at=660.0)
    chronicle.follow([START, first, second])
    marks = chronicle.epochs
    assert [(mark.epoch, mark.first_number, mark.changed, mark.at) for mark in marks] == [
        (0, 0, {}, 600.0),
        (1, 4, {"x": (0.2, 0.8)}, 650.0),
        (2, 7, {"kind": ("a",)}, 660.0),
    ]
    assert chronicle.space.ranges == marks[-1].ranges == {"x": (0.2, 0.8), "kind": ("a",)}
    assert chronicle.declared_space.ranges == SPACE.ranges


def test_undo_redo_and_a_new_change_leave_the_way_that_the_search_had(chronicle):
    def ways():
        return [s.ranges["x"] for s in chronicle.undo], [s.ranges["x"] for s in chronicle.redo]

    half, first = narrowed(SPACE, {"x": (0, 0.5)}, 1, 1)
    whole, second = narrowed(half, {"x": (0, 1)}, 2, 2, "undo")
    _, third = narrowed(whole, {"x": (0, 0.5)}, 3, 3, "redo")
    _, fourth = narrowed(half, {"x": (0, 1)}, 4, 4, "undo")
    _, fifth = narrowed(whole, {"x": (0.9, 1)}, 5, 5)
    chronicle.follow([first])
    assert ways() == ([(0, 1)], [])
    chronicle.follow([second])
    assert ways() == ([], [(0, 0.5)])
    chronicle.follow([third])
    assert ways() == ([(0, 1)], [])
    chronicle.follow([fourth, fifth])
    assert ways() == ([(0, 1)], [])
    assert [mark.step for mark in chronicle.epochs] == ["set", "set", "undo", "redo", "undo", "set"]


def test_the_first_epoch_begins_with_the_first_event_and_no_notice_of_a_viewer_moves_it(chronicle):
    notice = {"kind": "notice", "at": 900.0, "source": "command", "sentence": "stop did nothing"}
    chronicle.follow([notice])
    assert chronicle.epochs[0].at == 0.0
    chronicle.follow([START, end(), {"kind": "start", "at": 1000.0}])
    assert chronicle.epochs[0].at == 600.0


def test_of_many_notices_the_newest_are_shown(chronicle):
    chronicle.follow(
        {"kind": "notice", "at": float(n), "source": "callback", "sentence": f"trial {n}"}
        for n in range(MOST_NOTICES + 3)
    )
    assert len(chronicle.notices) == MOST_NOTICES
    assert chronicle.notices[0].sentence == "trial 3"
    assert chronicle.notices[-1].sentence == f"trial {MOST_NOTICES + 2}"


def test_settings_deadline_points_by_hand_and_notices_are_kept(chronicle):
    point = SPACE.encode({"x": 0.5, "kind": "b"})
    chronicle.follow(
        [
            {"kind": "settings", "at": 1.0, "changes": {"total_max_jobs": 20, "compute_time_limit": 3.0}},
            {"kind": "set_time_limit", "at": 2.0, "deadline": "2030-01-01T10:00:00"},
            {"kind": "enqueue_trial", "at": 3.0, "parameters": point},
            {"kind": "notice", "at": 4.0, "source": "worker", "sentence": "a worker died"},
            {"kind": "report", "at": 5.0, "budget": {}, "top": []},
            {"kind": "of a later version", "at": 6.0},
        ]
    )
    assert (chronicle.settings.total_max_jobs, chronicle.settings.compute_time_limit) == (20, 3.0)
    assert (chronicle.deadline, chronicle.has_own_deadline) == ("2030-01-01T10:00:00", True)
    assert chronicle.points_by_hand == [point]
    assert [(notice.source, notice.sentence, notice.at) for notice in chronicle.notices] == [
        ("worker", "a worker died", 4.0)
    ]
    assert HEADER["settings"]["total_max_jobs"] == 9


def test_a_deadline_that_was_taken_away_is_no_limit_of_the_constructor_again(chronicle):
    chronicle.follow([{"kind": "set_time_limit", "at": 2.0, "deadline": None}])
    assert (chronicle.deadline, chronicle.has_own_deadline) == (None, True)
