"""A search as its journal shows it, while another owner writes on."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
import time
from concurrent import futures
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hpo_widgets.journal import Journal, JournalDamaged, JournalError, lease
from hpo_widgets.journal.reader import JournalReader
from hpo_widgets.parameters import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.search import COMMANDS, Search, SearchStatus
from hpo_widgets.search.readable import is_over
from hpo_widgets.space import Space
from hpo_widgets.trials import TrialRow, TrialState
from hpo_widgets.trials.columns import TrialColumns
from hpo_widgets.viewer import SearchViewer, follower
from hpo_widgets.viewer import viewer as viewer_module
from tests.conftest import DEADLINE
from tests.headers import header
from tests.runs import wait_for

NAN = float("nan")

SPACE = Space([UniformParameterRange("x", 0, 1), DiscreteParameterRange("kind", ["a", None])])
HEADER = header(SPACE, 5000)
START = {"kind": "start", "at": 600.0}
END = {"kind": "end", "at": 700.0, "code": "stopped", "sentence": "stopped by hand", "wall_minutes": 1.5}


def notice(sentence):
    return {"kind": "notice", "at": 650.0, "source": "worker", "sentence": sentence}


def row(number, state=TrialState.COMPLETED, value=None, **fields):
    """A trial whose value falls with its number, unless given."""
    value = 1 / (number + 1) if value is None else value
    accuracy = number % 7
    summary = {
        "validation/loss": [value, 0, value, 0, value, 0, 1],
        "validation/accuracy": [accuracy, 0, accuracy, 0, accuracy, 0, 1],
    }
    everything = {"values": [value], "iteration": [0], "started": 600.0, "ended": 606.0, "summary": summary, **fields}
    return TrialRow(number, int(state), 0, SPACE.encode({"x": 0.5, "kind": None}), **everything)


@pytest.fixture
def journal(tmp_path):
    """The journal of a search that was started by somebody in this process."""
    with Journal.create(tmp_path / "digits.sqlite", "digits-1", HEADER) as made:
        made.write([], [], [], [START])
        yield made


@pytest.fixture
def view(journal, monkeypatch):
    """``view(...)`` gives a viewer of the journal, which looks often after its owner."""
    monkeypatch.setattr(follower, "FOLLOW_SECONDS", 0.01)
    viewers = []

    def make(**keywords):
        viewers.append(SearchViewer(journal.path, **keywords))
        return viewers[-1]

    yield make
    for made in viewers:
        made.close()


def write(journal, rows=(), events=()):
    journal.write(list(rows), [], [], list(events))


def sentences(viewer):
    return [found.sentence for found in viewer.errors]


# What is shown ----------------------------------------------------------------------------------------------------


def test_it_is_a_search_with_what_the_header_says(journal, view):
    viewer = view()
    assert isinstance(viewer, Search)
    assert (viewer.id, viewer.name, viewer.strategy_name, viewer.engine_name) == (
        "digits-1",
        "digits",
        "RandomSearch",
        "journal",
    )
    assert [objective.key for objective in viewer.objectives] == ["validation/loss"]
    assert viewer.space.ranges == SPACE.ranges
    assert (viewer.max_number_of_concurrent_tasks, viewer.total_max_jobs) == (2, 5000)
    assert [mark.at for mark in viewer.epochs] == [600.0]
    assert (viewer.best_trial, viewer.top(3), len(viewer.snapshot())) == (None, [], 0)
    assert repr(viewer) == "<SearchViewer digits-1 running>"


def test_trials_are_there_with_their_own_types_and_order(journal, view):
    write(journal, [row(0), row(1, TrialState.FAILED), row(2, TrialState.PRUNED), row(3, TrialState.RUNNING)])
    viewer = view()
    assert [trial.number for trial in viewer.top(9)] == [3, 2, 0]
    assert viewer.best_trial.number == 0  # the only one that completed
    assert viewer.trial(0).parameters == {"x": 0.5, "kind": None}
    assert viewer.counts[TrialState.FAILED] == 1
    assert viewer.to_dataframe()["state"].tolist() == ["completed", "failed", "pruned", "running"]
    with pytest.raises(IndexError, match="no trial 4"):
        viewer.trial(4)


def test_a_refresh_takes_in_what_was_written_since(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 3600)
    viewer = view()
    version = viewer.snapshot().version
    write(journal, [row(0), row(1)], [{"kind": "pause", "at": 610.0}])
    assert len(viewer.snapshot()) == 0
    assert viewer.status is SearchStatus.RUNNING
    viewer.refresh()
    assert viewer.changes_since(version).numbers.tolist() == [0, 1]
    assert viewer.status is SearchStatus.PAUSED
    assert viewer.best_trial.number == 1
    version = viewer.snapshot().version
    write(journal, [row(0, value=0.001)])
    viewer.refresh()
    assert viewer.changes_since(version).numbers.tolist() == [0]
    assert viewer.best_trial.number == 0


def test_a_trial_that_fails_after_all_leaves_the_ranking(journal, view):
    write(journal, [row(0), row(1, TrialState.RUNNING)])
    viewer = view()
    assert [trial.number for trial in viewer.top(9)] == [1, 0]
    write(journal, [row(1, TrialState.FAILED)])
    viewer.refresh()
    assert [trial.number for trial in viewer.top(9)] == [0]


def test_a_change_of_ranges_is_an_epoch(journal, view):
    viewer = view()
    narrow = SPACE.with_ranges({"x": (0.25, 0.5)})
    event = {"kind": "set_ranges", "step": "set", "epoch": 1, "first_number": 3, "space": narrow.to_dict(), "at": 620.0}
    write(journal, [], [event])
    viewer.refresh()
    assert [(mark.epoch, mark.first_number, mark.changed) for mark in viewer.epochs] == [
        (0, 0, {}),
        (1, 3, {"x": (0.25, 0.5)}),
    ]
    assert viewer.space.ranges["x"] == (0.25, 0.5)


@pytest.mark.parametrize("is_open", [True, False])
def test_a_choice_that_was_added_is_there_with_the_trials_that_have_it(journal, view, is_open):
    if is_open:
        viewer = view()
    more = SPACE.with_choices({"kind": ["resnet"]})
    event = {"kind": "set_ranges", "step": "set", "epoch": 1, "first_number": 3, "space": more.to_dict(), "at": 620.0}
    trial = row(3)
    trial.parameters = more.encode({"x": 0.5, "kind": "resnet"})
    write(journal, [row(0), trial], [event])
    if is_open:
        viewer.refresh()
    else:
        viewer = view()
    assert sentences(viewer) == []
    assert viewer.space.ranges["kind"] == ("a", None, "resnet")
    assert [viewer.trial(number).parameters["kind"] for number in (0, 3)] == [None, "resnet"]
    assert viewer.snapshot().parameters["kind"][[0, 3]].tolist() == [1, 2]
    assert viewer.to_dataframe()["kind"].tolist()[-1] == "resnet"
    assert "resnet" in viewer.as_code()


@pytest.mark.parametrize("is_steered_after_it", [False, True])
def test_who_sees_the_end_finds_all_trials(journal, view, monkeypatch, is_steered_after_it):
    viewer = view()
    more = SPACE.with_choices({"kind": ["resnet"]})
    change = {"kind": "set_ranges", "step": "set", "epoch": 1, "first_number": 1, "space": more.to_dict(), "at": 720.0}
    put, were_active = TrialColumns.put, []

    def noted(columns, rows):
        were_active.append(viewer.is_active())
        put(columns, rows)

    monkeypatch.setattr(TrialColumns, "put", noted)
    write(journal, [row(0)], [notice("a word"), END, *[change] * is_steered_after_it])
    viewer.refresh()
    assert were_active == [True]
    assert not viewer.is_active()
    assert len(viewer.epochs) == 1 + is_steered_after_it


def test_an_owner_that_goes_while_it_is_looked_at_is_gone_with_its_last_trials_only(journal, view, monkeypatch):
    viewer = view()
    read, has_ended = JournalReader.changes, []

    def read_before_the_end(reader, since=0):
        changes = read(reader, since)
        if not has_ended:
            has_ended.append(True)
            write(journal, [row(0)], [END])
            journal.close()
        return changes

    monkeypatch.setattr(JournalReader, "changes", read_before_the_end)
    viewer.refresh()
    assert not is_over(viewer)
    viewer.refresh()
    assert is_over(viewer)
    assert viewer.best_trial.number == 0


def test_a_look_takes_in_what_was_said_since_the_last_one_and_not_of_all_trials_again(journal, view, monkeypatch):
    write(journal, [row(number) for number in range(9)], [{"kind": "leave_out", "numbers": [0, 1, 2], "at": 610.0}])
    viewer, taken = view(), []
    set_remarks = TrialColumns.set_remarks
    monkeypatch.setattr(TrialColumns, "set_remarks", lambda *given: taken.append(set(given[1])) or set_remarks(*given))
    events = [{"kind": "take_back", "numbers": [1]}, {"kind": "set_note", "number": 4, "note": "odd"}]
    write(journal, [row(9)], [{**event, "at": 620.0} for event in events])
    viewer.refresh()
    assert taken == [{1, 4}]
    is_left_out = [viewer.trial(number).state is TrialState.LEFT_OUT for number in range(10)]
    assert is_left_out == [number in {0, 2} for number in range(10)]
    assert viewer.trial(4).note == "odd"


def test_the_best_by_other_scalars(journal, view):
    write(journal, [row(number) for number in range(7)])
    write(journal, [row(13, TrialState.FAILED), row(7, TrialState.RUNNING, summary=None)])
    write(journal, [row(8, summary={"validation/loss": [0.1, 0, 0.1, 0, 0.1, 0, 1]})])
    viewer = view()
    assert [trial.number for trial in viewer.top_by("validation", "accuracy", "max", 3)] == [6, 5, 4]
    assert [trial.number for trial in viewer.top_by("validation", "loss", "max", 2)] == [0, 1]
    assert viewer.top_by("validation", "unheard of", "min", 2) == []
    both = viewer.top_by(["validation", "validation"], ["accuracy", "loss"], ["max", "max_global"], 9)
    assert sorted(trial.number for trial in both) == list(range(7))


# What is read once ----------------------------------------------------------------------------------------------


def test_no_event_comes_twice(journal, view):
    write(journal, [row(0)], [notice("one"), notice("two")])
    viewer = view()
    assert sentences(viewer) == ["one", "two"]
    write(journal, [], [notice("three")])
    viewer.refresh()
    viewer.refresh()
    write(journal, [row(1)], [notice("four")])
    viewer.refresh()
    assert sentences(viewer) == ["one", "two", "three", "four"]


def test_what_is_written_while_the_first_view_is_read_comes_once(journal, view, monkeypatch):
    from hpo_widgets.journal import JournalReader

    read = JournalReader.whole

    def write_meanwhile(reader):
        write(journal, [row(0)], [notice("meanwhile")])
        found = read(reader)
        write(journal, [row(1)], [notice("then")])
        return found

    monkeypatch.setattr(JournalReader, "whole", write_meanwhile)
    viewer = view()
    monkeypatch.undo()
    viewer.refresh()
    assert sentences(viewer) == ["meanwhile", "then"]
    assert len(viewer.snapshot()) == 2


# Reading without a subscriber -------------------------------------------------------------------------------------


def test_reading_takes_in_what_was_written_since(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0)
    viewer = view()
    write(journal, [row(0), row(1)])
    assert viewer.best_trial.number == 1
    write(journal, [row(2)])
    assert viewer.counts[TrialState.COMPLETED] == 3
    write(journal, [row(3)])
    assert len(viewer.to_dataframe()) == 4
    write(journal, [row(4)])
    assert [trial.number for trial in viewer.get_top_experiments(9)] == [4, 3, 2, 1, 0]
    write(journal, [], [notice("one")])
    assert sentences(viewer) == ["one"]
    write(journal, [], [END])
    assert viewer.elapsed_minutes == 1.5
    assert viewer.status is SearchStatus.STOPPED
    assert viewer._thread is None


def test_reading_sees_that_the_owner_died(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0)
    viewer = view(reopen=lambda: None)
    assert viewer.is_running()
    assert viewer.capabilities["start"] is not None
    lease.release(journal.owner)
    assert not viewer.is_running()
    assert viewer.owner_died
    assert viewer.capabilities["start"] is None


def test_who_runs_it_now_is_named_when_a_command_is_refused(journal, view, monkeypatch):
    viewer = view()
    own = lease.Owner.here()
    monkeypatch.setattr(follower, "READ_SECONDS", 0.0)
    viewer.refresh()
    monkeypatch.setattr(viewer._reader, "owner", lambda: replace(own, pid=1, host="elsewhere", token="other"))
    monkeypatch.setattr(lease.Owner, "is_alive", property(lambda owner: True))
    assert "process 1 on elsewhere" in viewer.capabilities["stop"]


def test_a_loop_over_is_running_ends_with_the_search(journal, view):
    viewer = view()
    assert viewer.is_running()
    write(journal, [row(0)], [END])
    deadline = time.monotonic() + DEADLINE
    while viewer.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert viewer.counts[TrialState.COMPLETED] == 1


def test_points_that_wait_are_counted_without_a_copy_of_all_trials(journal, view, monkeypatch):
    journal.write([], events=[{"kind": "enqueue_trial", "at": 640.0, "parameters": [0.25, 0]}] * 3)
    journal.write([row(0), row(1, TrialState.RUNNING, enqueued=True)])
    viewer = view()
    monkeypatch.setattr(TrialColumns, "snapshot", None)
    assert viewer.num_waiting_points == 2


def test_the_journal_is_not_read_at_each_reading(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 3600)
    viewer = view()
    journal.close()
    journal.path.unlink()
    assert viewer.is_running()
    assert sentences(viewer) == []


def test_a_closed_view_shows_what_it_has_read(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0)
    viewer = view()
    viewer.close()
    write(journal, [row(0)], [END])
    assert viewer.is_running()
    assert sentences(viewer) == []


def test_a_journal_that_cannot_be_read_is_a_notice_for_who_reads(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0)
    viewer = view()
    changes = viewer._reader.changes

    def fail(since):
        raise JournalError("the disk is gone")

    monkeypatch.setattr(viewer._reader, "changes", fail)
    assert viewer.is_running()
    assert sentences(viewer) == ["the disk is gone"]
    monkeypatch.setattr(viewer._reader, "changes", changes)
    write(journal, [row(0)], [END])
    assert not viewer.is_running()
    assert sentences(viewer) == ["the disk is gone"]


def test_threads_that_read_at_once_take_in_each_write_once(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0)
    viewer = view()
    found = []

    def read():
        while (number := len(viewer.snapshot())) < 50:
            found.append((number, len(viewer.errors)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(50):
        write(journal, [row(number)], [notice(f"trial {number}")])
    for thread in threads:
        thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads)
    assert sentences(viewer) == [f"trial {number}" for number in range(50)]
    assert all(number <= seen for number, seen in found)


# Following --------------------------------------------------------------------------------------------------------


def test_nobody_follows_before_somebody_subscribes(view):
    viewer = view()
    assert viewer._thread is None
    unsubscribe = viewer.subscribe(lambda: None)
    thread = viewer._thread
    assert thread.is_alive()
    viewer.subscribe(lambda: None)
    assert viewer._thread is thread
    unsubscribe()


def test_a_follower_is_told_of_every_write_on_the_viewers_thread(journal, view, until):
    write(journal, [row(0)])
    viewer = view()
    write(journal, [row(1)], [notice("between")])
    threads = set()
    viewer.subscribe(lambda: threads.add(threading.current_thread()))
    until(viewer, lambda: len(viewer.snapshot()) == 2)
    for number in range(2, 20):
        write(journal, [row(number)], [notice(f"trial {number}")])
    until(viewer, lambda: len(viewer.snapshot()) == 20)
    write(journal, [], [END])
    until(viewer, lambda: viewer.status is SearchStatus.STOPPED)
    assert str(viewer.stop_reason) == "stopped by hand"
    assert sentences(viewer) == ["between", *(f"trial {number}" for number in range(2, 20))]
    assert threads == {viewer._thread}


def test_who_has_unsubscribed_is_told_nothing_more(journal, view, until):
    viewer = view()
    calls = []
    unsubscribe = viewer.subscribe(lambda: calls.append(viewer.counts[TrialState.COMPLETED]))
    write(journal, [row(0)])
    until(viewer, lambda: 1 in calls)
    unsubscribe()
    write(journal, [row(1)])
    until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 2)
    assert 2 not in calls


@pytest.mark.parametrize("end", ["dies", "gives the journal back"])
def test_the_end_of_the_owner_is_seen_without_a_word_of_it(journal, view, until, end):
    viewer = view()
    until(viewer, lambda: viewer.status is SearchStatus.RUNNING)
    assert all("this process itself runs this search" in reason for reason in viewer.capabilities.values())
    if end == "dies":
        lease.release(journal.owner)
    else:
        journal.close()
    until(viewer, lambda: viewer.status is SearchStatus.STOPPED)
    assert viewer.stop_reason is None
    assert all("open it with base_task_id=" in reason for reason in viewer.capabilities.values())


SENTENCE = "Aborted: the process that ran the search ended while this trial was running."


@pytest.mark.parametrize("reads", ["anew", "on", "on and is told"])
def test_what_ran_when_the_owner_died_is_aborted(journal, view, until, reads, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0.0)
    write(
        journal,
        [
            row(0),
            row(1, TrialState.RUNNING, 0.25, started=608.0, ended=NAN),
            row(2, TrialState.QUEUED, values=None, iteration=None),
        ],
    )
    journal.heartbeat()
    if reads != "anew":
        viewer = view()
        assert viewer.counts[TrialState.RUNNING] == 1
        version = viewer.snapshot().version
    if reads == "on and is told":
        until(viewer, lambda: viewer.status is SearchStatus.RUNNING)
    lease.release(journal.owner)
    if reads == "anew":
        viewer, version = view(), 0
    if reads == "on and is told":
        until(viewer, lambda: viewer.status is SearchStatus.STOPPED)
    present = {state: number for state, number in viewer.counts.items() if number}
    assert present == {TrialState.QUEUED: 1, TrialState.COMPLETED: 1, TrialState.ABORTED: 1}
    assert 1 in viewer.changes_since(version).numbers
    assert viewer.budget.jobs.used == 2
    trial = viewer.trial(1)
    assert (trial.status, trial.error, trial.value) == ("aborted", SENTENCE, 0.25)
    with Journal.view(journal.path) as reader:
        assert trial.ended == viewer.snapshot().ended[1] == reader.owner().heartbeat
    assert [found.number for found in viewer.top(3)] == [1, 0]
    record = json.loads(viewer.to_json())[1]
    assert (record["state"], record["error"]) == ("aborted", SENTENCE)
    assert len(viewer.to_optuna().trials) == 2


def test_an_owner_that_lives_after_all_has_its_running_trials_back(journal, view, monkeypatch):
    monkeypatch.setattr(follower, "READ_SECONDS", 0.0)
    write(journal, [row(0, TrialState.RUNNING, ended=NAN), row(1, TrialState.RUNNING, ended=NAN)])
    lease.release(journal.owner)
    viewer = view()
    assert viewer.counts[TrialState.ABORTED] == 2
    hold = lease.hold(journal.owner)
    write(journal, [row(0)])
    assert hold is not None
    assert viewer.status is SearchStatus.RUNNING
    assert [viewer.counts[state] for state in (TrialState.RUNNING, TrialState.COMPLETED, TrialState.ABORTED)] == [
        1,
        1,
        0,
    ]
    assert np.isnan(viewer.snapshot().seconds[1])
    assert viewer.trial(1).error is None
    assert viewer.to_dataframe()["error"].tolist() == ["", ""]


def test_tasks_go_on_without_the_process_of_their_search(tmp_path):
    header = {**HEADER, "engine": "clearml", "clearml": {"base_task_id": "template"}}
    with Journal.create(tmp_path / "tasks.sqlite", "tasks-1", header) as made:
        made.write([row(0, TrialState.RUNNING, ended=NAN)], [], [], [START])
    with SearchViewer(tmp_path / "tasks.sqlite") as viewer:
        assert viewer.status is SearchStatus.STOPPED
        assert viewer.counts[TrialState.RUNNING] == 1


def test_a_paused_search_stays_paused_without_its_owner(journal, view):
    write(journal, [], [{"kind": "pause", "at": 610.0}])
    journal.close()
    assert view().status is SearchStatus.PAUSED


def test_nobody_waits_for_a_paused_search_without_its_owner(journal, view):
    write(journal, [], [{"kind": "pause", "at": 610.0}])
    viewer = view()
    assert not viewer.wait(0)
    journal.close()
    assert viewer.wait(DEADLINE / 60)
    assert asyncio.run(viewer.wait_async(DEADLINE / 60))


def test_a_journal_that_cannot_be_read_for_a_while_is_a_notice_and_is_followed_on(journal, view, until, monkeypatch):
    viewer = view()
    errors = [JournalError("the disk is gone"), JournalError("the disk is gone")]
    wait_for_change = viewer._reader.wait_for_change
    can_be_read_again = threading.Event()

    def fail(sequence, timeout):
        if errors:
            raise errors.pop()
        can_be_read_again.set()
        return wait_for_change(sequence, timeout)

    monkeypatch.setattr(viewer._reader, "wait_for_change", fail)
    until(viewer, lambda: sentences(viewer))
    assert can_be_read_again.wait(DEADLINE)
    write(journal, [row(0)])
    until(viewer, lambda: len(viewer.snapshot()) == 1)
    assert sentences(viewer) == ["the disk is gone"]
    assert viewer.errors[0].source == "journal"
    viewer.close()
    assert not viewer._thread.is_alive()


# Commands ---------------------------------------------------------------------------------------------------------


def test_events_of_a_later_release_are_told_once_and_do_not_end_the_following(journal, view, until):
    viewer = view()
    viewer.subscribe(lambda: None)
    write(journal, [row(0)], [{"kind": "of a later release"}, {"kind": "settings", "changes": {"later": 1}}])
    until(viewer, lambda: viewer.errors)
    write(journal, [row(1)], [{"kind": "of a later release"}])
    until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 2)
    write(journal, [], [notice("and on")])
    until(viewer, lambda: "and on" in sentences(viewer))
    assert sentences(viewer) == [
        "the journal has events that this release does not know; they are not shown",
        "and on",
    ]


def test_what_happened_with_a_trial_that_cannot_be_shown_is_taken_in_once(journal, view):
    viewer = view()
    narrow = SPACE.with_ranges({"x": (0.25, 0.5)})
    events = [
        {"kind": "set_ranges", "step": "set", "epoch": 1, "first_number": 0, "space": narrow.to_dict(), "at": 620.0},
        {"kind": "enqueue_trial", "parameters": SPACE.encode({"x": 0.5, "kind": None})},
        {"kind": "set_note", "number": 0, "note": "a text"},
        notice("a word"),
        END,
    ]
    write(journal, [row(0, values=[1.0, 2.0], iteration=[0, 0])], events)
    for _ in range(3):
        with pytest.raises(JournalDamaged, match="another number of objectives"):
            viewer.refresh()
    assert len(viewer.epochs) == 2
    assert len(viewer._read_state.enqueued) == 1
    assert sentences(viewer) == ["a word"]
    assert viewer.stop_reason.code == "stopped"
    write(journal, [row(0)])
    viewer.refresh()
    assert viewer.trial(0).note == "a text"
    assert viewer.best_trial.number == 0


class SlowAndDamaged:
    """Has a view meet damage whenever it reads, two seconds of computing after it began."""

    def __init__(self, viewer, monkeypatch):
        self.num_reads, self.now = 0, 1000.0
        clocks = SimpleNamespace(monotonic=lambda: self.now, thread_time=lambda: self.now, time=time.time)
        monkeypatch.setattr(follower, "time", clocks)
        monkeypatch.setattr(viewer._reader, "changes", self.changes)

    def changes(self, _since):
        self.num_reads += 1
        self.now += 2.0
        raise JournalDamaged("a row is damaged")


def test_damage_that_takes_long_to_find_is_looked_for_rarely(journal, view, monkeypatch):
    viewer = view()
    changes = viewer._reader.changes
    damaged = SlowAndDamaged(viewer, monkeypatch)
    viewer._next_look = 0.0
    assert (len(viewer.snapshot()), damaged.num_reads) == (0, 1)
    damaged.now += 39.0
    assert (len(viewer.snapshot()), damaged.num_reads) == (0, 1)
    write(journal, [row(0)])
    monkeypatch.setattr(viewer._reader, "changes", changes)  # it is repaired
    damaged.now += 2.0
    assert len(viewer.snapshot()) == 1


def test_the_follower_looks_rarely_for_damage_that_takes_long_to_find(journal, view, monkeypatch):
    viewer = view()
    damaged = SlowAndDamaged(viewer, monkeypatch)
    pauses = []

    class Pauses(threading.Event):
        def wait(self, timeout=None):
            pauses.append(timeout)
            return super().wait(0.001)

    viewer._closed = Pauses()
    viewer.subscribe(lambda: None)
    wait_for(lambda: len(pauses) > 1, "it does not look again")
    viewer.close()
    assert pauses[:2] == [40.0, 40.0]
    assert sentences(viewer) == ["a row is damaged"]
    assert damaged.num_reads == len(pauses)


def test_any_other_error_of_the_follower_is_a_notice_and_is_followed_on(journal, view, until, monkeypatch):
    viewer = view()
    rank_all = viewer._shown.rank_all

    def fail(rows):
        raise ZeroDivisionError("of a row")

    monkeypatch.setattr(viewer._shown, "rank_all", fail)
    viewer.subscribe(lambda: None)
    write(journal, [row(0)])
    until(viewer, lambda: viewer.errors)
    monkeypatch.setattr(viewer._shown, "rank_all", rank_all)
    until(viewer, lambda: viewer.best_trial is not None)
    [sentence] = sentences(viewer)
    assert sentence == f"what was written to {journal.path} could not be shown: ZeroDivisionError: of a row"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_refused_with_its_reason(view, name):
    viewer = view()
    called = threading.Event()
    viewer.subscribe(called.set)
    reason = viewer.capabilities[name]
    assert reason
    viewer.command(name, 1, 2)
    assert called.wait(DEADLINE)
    [found] = viewer.errors
    assert (found.source, found.sentence) == ("command", f"{name} did nothing: {reason}")


def test_what_is_no_command_is_refused_with_a_near_match(view):
    with pytest.raises(ValueError, match=r"'paus' is not a command of a search\. Did you mean 'pause'\?"):
        view().command("paus")


def test_a_refused_command_is_written_nowhere(journal, view):
    viewer = view()
    before = journal.sequence
    viewer.command("stop")
    assert journal.sequence == before
    assert sentences(view()) == []


# A start that takes its time --------------------------------------------------------------------------------------


class SlowToOpen:
    """A search that is opened, and then started, when a test says so."""

    status = SearchStatus.IDLE
    errors = ()

    def __init__(self):
        self.opening, self.may_open = threading.Event(), threading.Event()
        self.starting, self.may_start = threading.Event(), threading.Event()
        self.may_start.set()
        self.calls = []
        self.problem = None

    def reopen(self):
        self.opening.set()
        assert self.may_open.wait(DEADLINE)
        if self.problem is not None:
            raise self.problem
        return self

    @property
    def capabilities(self):
        return dict.fromkeys(COMMANDS) | {"stop": "the search is not running"}

    def subscribe(self, _callback):
        return lambda: None

    def start(self, _job_complete_callback):
        self.starting.set()
        assert self.may_start.wait(DEADLINE)
        self.calls.append("start")
        return True

    def stop(self, *_arguments):
        self.calls.append("stop")

    def close_files(self):
        self.calls.append("close_files")


@pytest.fixture
def slow(journal, view, monkeypatch):
    """A search that is slow to open, and a view that can take it over."""
    monkeypatch.setattr(follower, "READ_SECONDS", 0)
    search = SlowToOpen()
    viewer = view(reopen=search.reopen)
    lease.release(journal.owner)
    yield search, viewer
    search.may_open.set()
    search.may_start.set()


def end_of_start():
    """Wait for the thread of a start to end."""
    for thread in threading.enumerate():
        if thread.name == "hpo_widgets start":
            thread.join(DEADLINE)
            assert not thread.is_alive()


CANCELS = {
    "stop()": SearchViewer.stop,
    "the panel's Stop": lambda viewer: viewer.command("stop"),
    "close()": SearchViewer.close,
}


@pytest.mark.parametrize("cancel", CANCELS.values(), ids=CANCELS)
def test_a_start_is_cancelled_before_it_has_taken_the_search_over(slow, cancel):
    search, viewer = slow
    viewer.command("start")
    assert search.opening.wait(DEADLINE)
    assert (viewer.capabilities["start"], viewer.capabilities["stop"]) == ("the search is starting", None)
    cancel(viewer)
    assert viewer.capabilities["start"] is None
    assert viewer.capabilities["stop"] is not None
    search.may_open.set()
    end_of_start()
    assert (search.calls, viewer.is_view, sentences(viewer)) == (["close_files"], True, [])


@pytest.mark.parametrize("cancel", CANCELS.values(), ids=CANCELS)
def test_a_run_that_begins_after_its_start_was_cancelled_is_stopped(slow, cancel):
    search, viewer = slow
    search.may_open.set()
    search.may_start.clear()
    viewer.command("start")
    assert search.starting.wait(DEADLINE)
    assert (viewer.capabilities["start"], viewer.capabilities["stop"]) == ("the search is starting", None)
    cancel(viewer)
    search.may_start.set()
    end_of_start()
    assert search.calls[-2:] == ["start", "stop"]
    assert sentences(viewer) == []


def test_who_waits_for_the_end_waits_for_what_is_being_started(slow):
    search, viewer = slow
    search.problem = JournalError("locked")
    viewer.command("start")
    assert search.opening.wait(DEADLINE)
    assert viewer.wait(0.0001) is False
    assert asyncio.run(viewer.wait_async(0.0001)) is False
    search.may_open.set()
    assert viewer.wait(DEADLINE / 60) is True
    assert [sentence for sentence in sentences(viewer) if "locked" in sentence]


def test_a_start_of_code_that_fails_ends_the_wait_of_another_thread(slow):
    search, viewer = slow
    search.problem = JournalError("locked")
    follows = threading.Event()
    viewer.subscribe(follows.set)
    assert follows.wait(DEADLINE)
    with futures.ThreadPoolExecutor() as pool:
        starting = pool.submit(viewer.start)
        assert search.opening.wait(DEADLINE)
        waiting = pool.submit(viewer.wait, DEADLINE / 60)
        wait_for(lambda: viewer._shown.num_subscribers == 2, "nobody waits")
        search.may_open.set()
        assert waiting.result() is True
        assert isinstance(starting.exception(), JournalError)


def test_after_a_cancelled_start_the_view_can_be_started_again(slow):
    search, viewer = slow
    viewer.command("start")
    assert search.opening.wait(DEADLINE)
    viewer.stop()
    search.may_open.set()
    end_of_start()
    assert viewer.start()
    assert (search.calls, viewer.is_view) == (["close_files", "start"], False)


def test_a_start_of_code_is_cancelled_by_another_thread(slow):
    search, viewer = slow
    answers = []
    thread = threading.Thread(target=lambda: answers.append(viewer.start()), name="hpo_widgets start")
    thread.start()
    assert search.opening.wait(DEADLINE)
    viewer.stop()
    search.may_open.set()
    end_of_start()
    assert (answers, search.calls) == ([False], ["close_files"])
    with pytest.raises(RuntimeError, match=r"stop\(\) cannot be done here: this is a view of a journal"):
        viewer.stop()


def test_what_keeps_a_cancelled_start_from_opening_the_search_is_told_nobody(slow):
    search, viewer = slow
    search.problem = JournalError("locked")
    viewer.command("start")
    assert search.opening.wait(DEADLINE)
    viewer.stop()
    search.may_open.set()
    end_of_start()
    assert sentences(viewer) == []


# Time and budget --------------------------------------------------------------------------------------------------


class Time:
    """The time of day, in the test's hands."""

    def __init__(self, seconds):
        self.seconds = seconds

    def time(self):
        return self.seconds


def test_time_runs_while_the_search_does(journal, view, monkeypatch):
    time = Time(660.0)
    monkeypatch.setattr(viewer_module, "time", time)
    viewer = view()
    assert viewer.elapsed_minutes == pytest.approx(1.0)
    time.seconds = 690.0
    assert viewer.elapsed_minutes == pytest.approx(1.5)
    write(journal, [], [END])
    viewer.refresh()
    time.seconds = 9000.0
    assert viewer.elapsed_minutes == 1.5


def test_a_run_whose_owner_died_has_the_time_up_to_its_last_sign_of_life(journal, view):
    lease.release(journal.owner)
    with Journal.view(journal.path) as reader:
        last_sign = reader.owner().heartbeat
    assert view().elapsed_minutes == pytest.approx((last_sign - START["at"]) / 60)


def test_a_run_without_any_sign_of_its_owner_has_no_time(journal, view):
    journal.close()
    assert view().elapsed_minutes == 0.0


def test_the_budget_is_counted_from_the_trials(journal, view):
    write(journal, [row(0), row(1), row(2, TrialState.RUNNING, ended=float("nan"))])
    write(
        journal, [], [{"kind": "settings", "at": 640.0, "changes": {"compute_time_limit": 2.0, "total_max_jobs": 12}}]
    )
    budget = view().budget
    assert (budget.jobs.limit, budget.jobs.used) == (12, 2)  # the third still runs
    assert (budget.compute_minutes.limit, budget.compute_minutes.used) == (2.0, pytest.approx(0.2))
    assert budget.wall_minutes.limit is None


def test_a_deadline_replaces_the_constructors_time_limit(journal, view):
    viewer = view()
    write(journal, [], [{"kind": "settings", "at": 640.0, "changes": {"optimization_time_limit": 8.0}}])
    viewer.refresh()
    assert viewer.budget.wall_minutes.limit == 8.0
    write(journal, [], [END, {"kind": "set_time_limit", "at": 710.0, "deadline": "2000-01-01T00:00:00"}])
    viewer.refresh()
    assert viewer.budget.wall_minutes.limit == viewer.budget.wall_minutes.used == 1.5
    write(journal, [], [{"kind": "set_time_limit", "at": 720.0, "deadline": None}])
    viewer.refresh()
    assert viewer.budget.wall_minutes.limit is None


def test_a_time_limit_that_spans_the_end_of_summer_time_is_no_hour_longer_in_a_view(journal, berlin):
    start = dt.datetime.fromisoformat("2024-10-27T01:00").timestamp()  # clocks went from 3:00 back to 2:00
    changes = {"optimization_time_limit": 300.0}
    write(journal, [], [{"kind": "settings", "at": start, "changes": changes}, {"kind": "start", "at": start}])
    with SearchViewer(journal.path) as viewer:
        assert viewer.get_time_limit() == dt.datetime.fromisoformat("2024-10-27T05:00")


# The end ----------------------------------------------------------------------------------------------------------


def test_close_ends_the_thread_and_may_be_called_twice(view):
    viewer = view()
    viewer.subscribe(lambda: None)
    viewer.close()
    assert not viewer._thread.is_alive()
    viewer.close()


def test_close_from_a_subscriber_ends_the_thread_too(journal, view):
    viewer = view()
    viewer.subscribe(viewer.close)
    viewer._thread.join(DEADLINE)
    assert not viewer._thread.is_alive()
    assert viewer.errors == []


def test_after_its_close_nobody_follows(view):
    viewer = view()
    viewer.close()
    viewer.subscribe(lambda: None)
    assert viewer._thread is None


def test_a_viewer_is_a_context_that_closes_it(view):
    with view() as viewer:
        viewer.subscribe(lambda: None)
    assert not viewer._thread.is_alive()


def test_where_there_is_no_journal_there_is_nothing_to_view(tmp_path):
    with pytest.raises(JournalError):
        SearchViewer(tmp_path / "none.sqlite")


@pytest.mark.parametrize(
    ("header", "template", "comments"),
    [
        ({"engine": "callable", "template": "f"}, "f", ["# f: the callable of this search"]),
        ({"engine": "script", "template": "f", "script": '/home/me/"f".py'}, "Path('/home/me/\"f\".py')", []),
        # Of a search that was begun before the path was kept.
        ({"engine": "script", "template": "f.py"}, "f_py", ["# f_py: the path of the script of this search"]),
        ({"engine": "clearml", "template": "f", "clearml": {"base_task_id": "0f" * 16}}, f'"{"0f" * 16}"', []),
    ],
    ids=["callable", "script", "script without its path", "task"],
)
def test_the_code_names_what_the_search_runs(tmp_path, header, template, comments):
    with Journal.create(tmp_path / "code.sqlite", "code-1", {**HEADER, "arguments": {}, **header}) as journal:
        journal.write([], [], [], [START])
        with SearchViewer(journal.path) as viewer:
            code = viewer.as_code()
    assert f"    base_task_id={template},\n" in code
    assert [line for line in code.splitlines() if line.startswith("#")] == comments


def test_who_waits_waits_also_for_the_start_of_what_was_paused_when_its_process_died(slow, journal):
    search, viewer = slow
    write(journal, [], [{"kind": "pause", "at": 610.0}])
    viewer.refresh()
    assert (viewer.status, viewer.owner_died) == (SearchStatus.PAUSED, True)
    viewer.command("start")
    assert search.opening.wait(DEADLINE)
    assert viewer.wait(0.0001) is False
    assert asyncio.run(viewer.wait_async(0.0001)) is False
    viewer.command("stop")
    assert viewer.wait(DEADLINE / 60) is True
