"""A journal that is played back: what it shows at each moment, back and forth, and at which pace."""

from __future__ import annotations

import math
import os
import threading

import numpy as np
import pytest

from hpo_widgets import replay
from hpo_widgets.journal import Journal, JournalError
from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.search import COMMANDS, Replays, Search, SearchStatus
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialRow, TrialState
from hpo_widgets.viewer import SearchReplay, SearchViewer
from tests.conftest import DEADLINE
from tests.headers import header

SPACE = Space([UniformParameterRange("x", 0, 1)])
NARROW = SPACE.with_ranges({"x": (0.25, 0.75)})
HEADER = header(SPACE, 50)
START = {"kind": "start", "at": 1000.0}


def row(number, state, value=None, *, epoch=0, **times):
    summary = None if value is None else {"validation/loss": [value, 0, value, 0, value, 0, 1]}
    values, iteration = (None, None) if value is None else ([value], [0])
    point = SPACE.encode({"x": 0.5})
    more = {"values": values, "iteration": iteration, "summary": summary, **times}
    return TrialRow(number, int(state), epoch, point, **more)


def range_change(at, first_number, epoch):
    return {
        "kind": "set_ranges", "at": at, "space": NARROW.to_dict(), "first_number": first_number, "epoch": epoch,
    }  # fmt: skip


def end(at, minutes):
    return {"kind": "end", "at": at, "code": "stopped", "sentence": "stopped by hand", "wall_minutes": minutes}


RUNNING, COMPLETED, FAILED = TrialState.RUNNING, TrialState.COMPLETED, TrialState.FAILED
HISTORY = [
    # The moment, and what was written then.
    (1000.0, [], [START]),
    (1001.0, [row(0, RUNNING, started=1001.0)], []),
    (1002.0, [row(1, RUNNING, started=1002.0, worker=1)], []),
    (1005.0, [row(0, COMPLETED, 0.5, started=1001.0, ended=1005.0)], []),
    (1006.0, [row(2, RUNNING, started=1006.0)], []),
    (1007.0, [row(1, FAILED, started=1002.0, ended=1007.0, worker=1, error="broken")], []),
    (1008.0, [], [range_change(1008.0, 3, 1)]),
    (1009.0, [row(3, RUNNING, epoch=1, started=1009.0)], []),
    (1012.0, [row(2, COMPLETED, 0.25, started=1006.0, ended=1012.0)], []),
    (1014.0, [row(3, COMPLETED, 0.75, epoch=1, started=1009.0, ended=1014.0)], []),
    (1015.0, [], [{"kind": "set_note", "at": 1015.0, "number": 2, "note": "odd"}]),
    (1015.2, [], [{"kind": "leave_out", "at": 1015.2, "numbers": [1, 2]}]),
    (1015.4, [], [{"kind": "take_back", "at": 1015.4, "numbers": [1]}]),
    (1016.0, [], [end(1016.0, 16 / 60)]),
    # An hour later the search was continued.
    (4616.0, [], [{"kind": "start", "at": 4616.0, "wall_minutes": 16 / 60}]),
    (4617.0, [row(4, RUNNING, epoch=1, started=4617.0)], []),
    (4619.0, [row(4, COMPLETED, 0.125, epoch=1, started=4617.0, ended=4619.0)], []),
    (4620.0, [], [end(4620.0, 20 / 60)]),
]  # fmt: skip


class Clock:
    def __init__(self):
        self.now = 50.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    """A clock that only the test moves."""
    return Clock()


def state_of(search):
    """Everything that plots and tables are made of."""
    rows = search.snapshot()
    columns = {
        name: np.nan_to_num(getattr(rows, name), nan=-9.0).tolist()
        for name in ("numbers", "state", "values", "iteration", "started", "ended", "epoch", "worker", "enqueued")
    }
    best = search.best_trial
    return {
        **columns,
        "x": rows.parameters["x"].tolist(),
        "notes": {number: remark.note for number, remark in rows.remarks.items() if remark.note},
        "best": None if best is None else (best.number, best.value),
        "counts": dict(search.counts),
        "ranges": search.space.ranges,
        "epochs": [(mark.epoch, mark.first_number, mark.at) for mark in search.epochs],
        "status": search.status,
        "reason": search.stop_reason,
        "jobs": search.budget.jobs.used,
        "compute": round(search.budget.compute_minutes.used, 9),
        "top": [(trial.number, trial.state, trial.error) for trial in search.top(10)],
    }


@pytest.fixture
def followed(tmp_path):
    """A journal, and the state that a viewer showed after each of its writes."""
    states = []
    path = tmp_path / "digits.sqlite"
    with Journal.create(path, "digits-1", HEADER) as journal, SearchViewer(path) as viewer:
        for moment, rows, events in HISTORY:
            journal.write(rows, [], [], events)
            viewer.refresh()
            states.append((moment, state_of(viewer)))
    return path, states


@pytest.fixture
def replayed(followed, clock):
    """The replay of that journal, by a clock that the test moves."""
    with SearchReplay(followed[0], speed=2.0, clock=clock) as made:
        yield made


def position_of(moment):
    """Seconds of running time: the hour between both runs is none."""
    return moment - 1000.0 if moment <= 1016.0 else moment - 4600.0


def shown(states):
    """The states by position; of two at one moment, the later one."""
    return {position_of(moment): state for moment, state in states}


# What is shown ----------------------------------------------------------------------------------------------------


def test_it_is_a_search_that_runs_nothing(replayed):
    assert isinstance(replayed, Search)
    assert isinstance(replayed, Replays)
    assert (replayed.id, replayed.name, replayed.engine_name) == ("digits-1-replay", "digits", "replay")
    assert (replayed.duration, replayed.position, replayed.num_trials_in_all) == (20.0, 0.0, 5)
    replayed.seek(20.0)
    num_epochs = len(replayed.epochs)
    replayed.seek(0.0)
    assert len(replayed.epochs) < num_epochs == replayed.num_epochs_in_all
    assert set(replayed.capabilities) == set(COMMANDS)
    assert set(replayed.capabilities.values()) == {"this is a replay: nothing is run"}
    replayed.command("start")
    assert [notice.sentence for notice in replayed.errors] == ["start did nothing: this is a replay: nothing is run"]
    with pytest.raises(ValueError, match="not a command of a search"):
        replayed.command("strat")
    assert repr(replayed) == "<SearchReplay digits-1 0 of 20 s>"


def test_each_moment_is_what_a_viewer_of_the_live_search_showed(followed, replayed):
    states = shown(followed[1])
    for position, state in states.items():
        replayed.seek(position)
        assert (position, state_of(replayed)) == (position, state)
    # And back, and in leaps.
    for position in [*reversed(states), 0.0, 20.0, 5.0, 15.0, 1.0]:
        replayed.seek(position)
        assert (position, state_of(replayed)) == (position, states[position])


def test_between_two_moments_it_is_the_earlier_one(followed, replayed):
    replayed.seek(5.75)
    assert state_of(replayed) == shown(followed[1])[5.0]


def test_the_hour_between_two_runs_is_left_out(replayed):
    replayed.seek(15.5)
    assert (replayed.moment, replayed.elapsed_minutes * 60) == (1015.5, pytest.approx(15.5))
    replayed.seek(18.0)
    assert (replayed.moment, replayed.elapsed_minutes * 60) == (4618.0, pytest.approx(18.0))
    assert replayed.status is SearchStatus.RUNNING
    replayed.seek(99.0)
    assert (replayed.position, replayed.moment, replayed.status) == (20.0, 4620.0, SearchStatus.STOPPED)


def test_a_trial_tells_nothing_of_its_future(replayed):
    replayed.seek(6.0)
    failing = replayed.trial(1)
    assert (failing.state, failing.error, math.isnan(failing.ended), failing.worker) == (RUNNING, None, True, 1)
    assert math.isnan(failing.duration)
    assert (failing.get_reported_scalars(), failing.get_output(), failing.summary) == ({}, ("", "", ""), {})
    later = replayed.trial(3)
    assert (later.state, later.values, math.isnan(later.started)) == (TrialState.QUEUED, (None,), True)
    with pytest.raises(IndexError, match="no trial 9"):
        replayed.trial(9)
    replayed.seek(7.0)
    assert (replayed.trial(1).state, replayed.trial(1).error) == (FAILED, "broken")


def test_reports_are_spread_over_the_time_that_a_trial_ran(tmp_path, clock):
    path = tmp_path / "digits.sqlite"
    with Journal.create(path, "digits-1", HEADER) as journal:
        journal.write([row(0, RUNNING, started=1000.0)], [], [], [START])
        for iteration, value in enumerate((0.9, 0.5, 0.7)):
            journal.write([], [(0, "validation", "loss", value, iteration)], [], [])
        journal.write([row(0, COMPLETED, 0.7, started=1000.0, ended=1008.0)], [], [], [end(1010.0, 1 / 6)])
    with SearchReplay(path, clock=clock) as replayed:
        seen = []
        for position in (1.0, 2.0, 4.0, 6.0, 4.0, 2.0, 1.0):
            replayed.seek(position)
            trial = replayed.trial(0)
            curve = trial.get_reported_scalars().get("validation", {}).get("loss", {"y": []})["y"]
            rows = replayed.snapshot()
            seen.append((trial.value, rows.values[0, 0].tolist(), curve))
        assert [value for value, _, _ in seen] == [None, 0.9, 0.5, 0.7, 0.5, 0.9, None]
        assert [value for _, value, _ in seen[1:-1]] == [0.9, 0.5, 0.7, 0.5, 0.9]
        assert [len(curve) for _, _, curve in seen] == [0, 1, 2, 3, 2, 1, 0]
        assert replayed.trial(0).source.scalars_after(0, 5) == (0, [])


def test_a_search_whose_process_died_plays_to_the_last_that_is_known_of_it(tmp_path):
    path = tmp_path / "digits.sqlite"
    with Journal.create(path, "digits-1", HEADER) as journal:
        journal.write([row(0, COMPLETED, 0.5, started=1001.0, ended=1005.0)], [], [], [START])
        journal.write([row(1, RUNNING, started=1005.0)])
    with SearchReplay(path) as replayed:
        assert replayed.duration == 5.0
        replayed.seek(4.0)
        assert replayed.status is SearchStatus.RUNNING
        replayed.seek(5.0)
        assert (replayed.status, replayed.trial(1).state) == (SearchStatus.STOPPED, RUNNING)


def test_a_search_that_was_paused_when_its_process_died_plays_to_its_end(tmp_path):
    path = tmp_path / "digits.sqlite"
    with Journal.create(path, "digits-1", HEADER) as journal:
        trial = row(0, COMPLETED, 0.5, started=1001.0, ended=1005.0)
        journal.write([trial], [], [], [START, {"kind": "pause", "at": 1004.0}])
    with SearchReplay(path, speed=1000.0) as replayed:
        replayed.seek(4.5)
        assert replayed.status is SearchStatus.PAUSED
        replayed.play()
        assert replayed.wait(DEADLINE / 60)
        assert replayed.status is SearchStatus.STOPPED


def test_nobody_waits_for_a_replay_that_stands_still(replayed):
    replayed.seek(3.0)
    assert replayed.status is SearchStatus.RUNNING
    assert replayed.wait(DEADLINE / 60)
    replayed.play()
    assert not replayed.wait(0)


def test_a_search_that_was_never_started_has_no_duration(tmp_path):
    path = tmp_path / "digits.sqlite"
    Journal.create(path, "digits-1", HEADER).close()
    with SearchReplay(path) as replayed:
        replayed.play()
        replayed.refresh()
        assert (replayed.duration, replayed.position, replayed.is_playing) == (0.0, 0.0, False)
        assert (replayed.status, len(replayed.snapshot()), replayed.best_trial) == (SearchStatus.IDLE, 0, None)


def test_its_moments_are_those_at_which_trials_start_and_end(replayed):
    # Starts at 1, 2, 6, 9 and 17, ends at 5, 7, 12, 14 and 19.
    assert replayed.moments(100) == [0, 1, 2, 5, 6, 7, 9, 12, 14, 17, 19, 20]
    # The later one of two that are near to each other, and where there are too many some of them.
    assert replayed.moments(2) == [0, 20]
    few = replayed.moments(6)
    assert (few[0], few[-1], len(few)) == (0, 20, 6)
    assert set(few) < set(replayed.moments(100))
    assert few == sorted(few)


def test_an_end_and_the_start_that_follows_at_once_are_one_moment(tmp_path):
    rows = [row(one, COMPLETED, 0.5, started=1000.0 + 5 * one, ended=1004.999 + 5 * one) for one in range(4)]
    with Journal.create(tmp_path / "digits.sqlite", "digits-1", HEADER) as journal:
        journal.write(rows, [], [], [START, end(1020.0, 20 / 60)])
    with SearchReplay(tmp_path / "digits.sqlite") as made:
        assert made.moments(100) == [0, 5, 10, 15, pytest.approx(19.999), 20]


def test_it_is_opened_by_its_id_or_its_path(followed, tmp_path):
    with replay(followed[0], speed=5) as by_path, replay(tmp_path, "digits") as by_folder:
        assert (by_path.name, by_path.speed, by_folder.speed) == ("digits", 5.0, 10.0)
    with pytest.raises(JournalError, match="There is no search 'digitz'"):
        replay("digitz")
    with pytest.raises(ValueError, match="speed"):
        replay(followed[0], speed=0)


# What readers are told --------------------------------------------------------------------------------------------


def test_a_reader_is_told_when_what_it_knows_is_void(replayed):
    replayed.seek(12.0)
    version = replayed.snapshot().version
    replayed.seek(14.0)
    forth = replayed.changes_since(version)
    assert (forth.numbers.tolist(), forth.is_anew) == ([3], False)
    replayed.seek(6.0)
    back = replayed.changes_since(forth.version)
    assert (back.numbers.tolist(), back.is_anew) == ([0, 1, 2], True)
    assert back.where(back.numbers > 0).is_anew
    replayed.seek(7.0)
    again = replayed.changes_since(back.version)
    assert (again.numbers.tolist(), again.is_anew) == ([1], False)
    # Whoever has slept through it all.
    assert replayed.changes_since(version).is_anew


# Time -------------------------------------------------------------------------------------------------------------


def test_time_goes_on_at_the_speed_while_it_plays(replayed, clock):
    clock.now += 100.0
    assert replayed.position == 0.0
    replayed.play()
    clock.now += 2.5
    replayed.refresh()
    assert (replayed.position, replayed.counts[COMPLETED], replayed.is_playing) == (5.0, 1, True)
    replayed.set_speed(1.0)
    clock.now += 1.0
    assert replayed.position == 6.0
    replayed.seek(1.0)
    clock.now += 1.0
    replayed.refresh()
    assert (replayed.position, replayed.counts[COMPLETED], len(replayed.snapshot())) == (2.0, 0, 2)
    replayed.pause()
    clock.now += 5.0
    replayed.refresh()
    assert (replayed.position, replayed.is_playing) == (2.0, False)


def test_it_stops_at_the_end_and_plays_again_from_the_beginning(replayed, clock):
    replayed.play()
    clock.now += 60.0
    replayed.refresh()
    assert (replayed.position, replayed.is_playing, replayed.status) == (20.0, False, SearchStatus.STOPPED)
    replayed.play()
    assert (replayed.position, replayed.is_playing, len(replayed.snapshot())) == (0.0, True, 0)


def test_its_thread_shows_what_happens_and_ends_at_the_end(followed, until):
    """By the real clock, a thousand times as fast."""
    with SearchReplay(followed[0], speed=1000.0) as replayed:
        seen = []
        replayed.subscribe(lambda: seen.append(replayed.is_playing))
        replayed.play()
        until(replayed, lambda: not replayed.is_playing)
        assert state_of(replayed) == followed[1][-1][1]
        thread = next((one for one in threading.enumerate() if one.name == "hpo_widgets replay"), None)
        if thread is not None:
            thread.join(DEADLINE)
            assert not thread.is_alive()
        assert seen[-1] is False


def test_a_wait_for_the_next_event_ends_with_close(followed, clock):
    replayed = SearchReplay(followed[0], speed=1e-3, clock=clock)
    replayed.play()
    replayed.play()
    replayed.seek(6.5)  # a trial runs: its reports are looked for in the file
    assert [one.name for one in threading.enumerate()].count("hpo_widgets replay") == 1
    replayed.close()
    assert "hpo_widgets replay" not in [one.name for one in threading.enumerate()]
    assert str(followed[0]) not in open_files()
    assert not replayed.is_playing
    with pytest.raises(RuntimeError, match="closed"):
        replayed.play()


def test_a_journal_that_cannot_be_read_any_more_is_told(followed, clock, until, monkeypatch):
    def fail(_number):
        raise JournalError("the file is gone")

    with SearchReplay(followed[0], speed=100.0, clock=clock) as replayed:
        monkeypatch.setattr(replayed._trials, "scalars", fail)
        replayed.play()
        clock.now += 0.015  # to where a trial runs, whose reports are read
        until(replayed, lambda: not replayed.is_playing)
        assert [notice.sentence for notice in replayed.errors] == ["the file is gone"]


def test_whatever_stops_a_replay_is_told_and_it_can_be_played_on(followed, clock, until, monkeypatch, caplog):
    def fail(_number):
        raise KeyError("loss")

    with SearchReplay(followed[0], speed=100.0, clock=clock) as replayed:
        monkeypatch.setattr(replayed._trials, "scalars", fail)
        replayed.play()
        clock.now += 0.015  # to where a trial runs, whose reports are read
        until(replayed, lambda: not replayed.is_playing)
        (notice,) = replayed.errors
        assert "KeyError: 'loss'" in notice.sentence
        assert "Traceback" in caplog.text
        monkeypatch.undo()
        replayed.play()
        clock.now += 1000.0
        until(replayed, lambda: not replayed.is_playing)
        assert replayed.position == replayed.duration


def open_files():
    folder = "/proc/self/fd"
    if not os.path.isdir(folder):
        return []
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(f"{folder}/{name}"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("speed", [0, -1, math.nan, math.inf, "fast", True])
def test_a_speed_that_makes_no_sense_is_refused(replayed, speed):
    with pytest.raises(ValueError, match="speed is a number above 0"):
        replayed.set_speed(speed)
    with pytest.raises(ValueError, match="a position is a number"):
        replayed.seek(math.nan)
    assert (replayed.speed, replayed.position) == (2.0, 0.0)


def test_a_choice_that_was_added_is_there_from_then_on_with_the_trials_that_have_it(tmp_path, clock):
    few = Space([DiscreteParameterRange("kind", ["a"])])
    more = few.with_choices({"kind": ["resnet"]})
    path = tmp_path / "kinds.sqlite"
    trials = [row(number, COMPLETED, 0.5, started=1001.0 + 4 * number, ended=1004.0 + 4 * number) for number in (0, 1)]
    for trial, kind in zip(trials, ("a", "resnet"), strict=True):
        trial.parameters = more.encode({"kind": kind})
    added = {**range_change(1004.5, 1, 1), "space": more.to_dict()}
    with Journal.create(path, "kinds-1", header(few, 50)) as journal:
        journal.write(trials, [], [], [START, added, end(1010.0, 10 / 60)])
    with SearchReplay(path, clock=clock) as replayed:
        for position, kinds in (
            (replayed.duration, ["a", "resnet"]),
            (2.0, ["a"]),
            (replayed.duration, ["a", "resnet"]),
        ):
            replayed.seek(position)
            assert replayed.space.ranges["kind"] == tuple(kinds)
            assert [replayed.trial(number).parameters["kind"] for number in range(len(kinds))] == kinds
            assert len(replayed.snapshot()) == len(kinds)
