"""Trials that are left out of a search, and taken back."""

from __future__ import annotations

import math
from contextlib import closing

import optuna
import pytest

from hpo_widgets import (
    GridSearch,
    HyperParameterOptimizer,
    OptimizerBOHB,
    OptimizerOptuna,
    RandomSearch,
    UniformIntegerParameterRange,
)
from hpo_widgets.controller import proposals
from hpo_widgets.controller.recorder import Recorder
from hpo_widgets.journal import Journal, JournalBusy
from hpo_widgets.search import SearchStatus
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.journal.conftest import locked
from tests.runs import finished, identity


def paused_after(made, number, until):
    """Start a search, and pause it once so many trials have ended; later ones do not pause it."""
    paused = []

    def pause(*_result):
        if len(made.snapshot()) >= number and not paused:
            paused.append(True)
            made.pause()

    made.start(pause)
    until(made, lambda: made.status is SearchStatus.PAUSED and made.get_num_active_experiments() == 0)
    return made


class Learning(SearchStrategy):
    """Keeps of which trials it knew at each of its points."""

    def __init__(self, *, seed=None):
        super().__init__(seed=seed)
        self.known = set()
        self.known_at = []

    def begin(self, space, objectives, epoch, history, draws):
        super().begin(space, objectives, epoch, history, draws)
        self.known = {observation.number for observation in history}
        self.drawn = draws

    def tell(self, observation):
        self.known.add(observation.number)

    def ask(self):
        self.known_at.append(set(self.known))
        self.drawn += 1
        return Proposal({"x": self.drawn / 100}, self.drawn - 1)


class LearningSlowly(Learning):
    is_model_based = True


@pytest.mark.parametrize("strategy", [Learning, LearningSlowly])
def test_a_strategy_does_not_know_of_it_from_the_next_point_on_until_it_is_taken_back(
    search, until, strategy, monkeypatch
):
    monkeypatch.setattr(proposals, "SLOW_ASK", math.inf)  # however slow this machine is now
    made = paused_after(search(identity, optimizer_class=strategy, max_number_of_concurrent_tasks=1), 4, until)
    learning, ended = made.get_optimizer(), len(made.snapshot())
    made.leave_out([1, 2])
    made.set_total_max_jobs(ended + 2)
    before = len(learning.known_at)
    made.resume()
    assert made.wait(timeout=1)
    assert learning.known_at[before : before + 2] == [set(range(ended)) - {1, 2}, set(range(ended + 1)) - {1, 2}]
    made.take_back(1)
    made.set_total_max_jobs(ended + 3)
    before = len(learning.known_at)
    finished(made)
    assert learning.known_at[before] == set(range(ended + 2)) - {2}


@pytest.mark.parametrize(
    ("strategy", "keywords"),
    [
        (OptimizerOptuna, {}),
        (OptimizerOptuna, {"optuna_sampler": optuna.samplers.TPESampler()}),
        (OptimizerBOHB, {"min_iteration_per_job": 1, "max_iteration_per_job": 9}),
    ],
    ids=["default", "TPE", "BOHB"],
)
def test_a_model_forgets_it_and_goes_on(search, until, strategy, keywords):
    made = search(identity, optimizer_class=strategy, seed=1, **keywords)
    paused_after(made, 8, until)
    best = made.best_trial.number
    made.leave_out(best)
    ended = len(made.snapshot())
    made.set_total_max_jobs(ended + 4)
    made.resume()
    assert made.wait(timeout=1)
    assert len(made.snapshot()) == ended + 4
    known = {trial.user_attrs.get("number") for trial in made.get_optimizer().study.trials}
    assert known & set(range(ended + 4)) == set(range(ended + 4)) - {best}
    assert not made.errors


class Told(Learning):
    """Keeps each trial as often as it is told of it."""

    def begin(self, space, objectives, epoch, history, draws):
        super().begin(space, objectives, epoch, history, draws)
        self.told = [observation.number for observation in history]

    def tell(self, observation):
        super().tell(observation)
        self.told.append(observation.number)


def test_a_result_is_told_once_though_who_hears_of_it_leaves_another_one_out(search, until):
    made = paused_after(search(identity, optimizer_class=Told, max_number_of_concurrent_tasks=1), 4, until)
    ended = len(made.snapshot())

    def hear():
        if len(made.snapshot()) > ended and not made.counts[TrialState.LEFT_OUT]:
            made.leave_out(0)

    made.subscribe(hear)
    made.add_trial({"x": 0.987}, 0.5)
    assert made.get_optimizer().told == list(range(1, ended + 1))
    made.stop()


@pytest.mark.parametrize("strategy", [Learning, LearningSlowly])
def test_a_lock_on_the_journal_ends_no_search_whose_strategy_learns_anew(search, until, strategy, monkeypatch):
    made = paused_after(search(identity, optimizer_class=strategy, max_number_of_concurrent_tasks=1), 4, until)
    ended, read, busy = len(made.snapshot()), Recorder.ended_rows, [True] * 3

    def ended_rows(recorder):
        if busy:
            busy.pop()
            raise JournalBusy("another program holds the journal locked")
        return read(recorder)

    monkeypatch.setattr(Recorder, "ended_rows", ended_rows)
    made.leave_out([1, 2])
    made.set_total_max_jobs(ended + 1)
    made.resume()
    assert made.wait(timeout=1)
    assert made.stop_reason.code == "total_max_jobs"
    assert made.get_optimizer().known_at[-1] == set(range(ended)) - {1, 2}
    assert not busy
    assert not made.errors


def test_what_a_strategy_learns_anew_is_not_read_while_a_lock_is_known(search, until):
    made = paused_after(search(identity, optimizer_class=Learning, max_number_of_concurrent_tasks=1), 4, until)
    known = set(made.get_optimizer().known)
    with locked(made.journal_path):
        made.leave_out(0)
        assert made._recorder.locked_since is not None
        assert made.get_optimizer().known == known
    until(made, lambda: made.counts[TrialState.LEFT_OUT])
    made.stop()


class ToldOnItsOwnThread(Told):
    is_model_based = True


@pytest.mark.parametrize("strategy", [Told, ToldOnItsOwnThread])
@pytest.mark.parametrize("was_killed", [False, True])
def test_a_result_that_comes_before_the_strategy_has_begun_is_told_once(search, strategy, was_killed):
    made = search(identity, optimizer_class=strategy, total_max_jobs=3, max_number_of_concurrent_tasks=1)
    made._controller.state.was_killed = was_killed  # which is told before the strategy begins
    added = []

    def hear():
        if not added:
            added.append(None)
            added[0] = made.add_trial({"x": 0.987}, 0.5)

    made.subscribe(hear)
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"
    assert added == [0]
    assert sorted(made.get_optimizer().told)[:3] == [0, 1, 2]


@pytest.mark.parametrize("strategy", [RandomSearch, GridSearch])
def test_its_point_is_not_run_again(search, strategy):
    made = search(identity, [UniformIntegerParameterRange("x", 1, 6)], optimizer_class=strategy, total_max_jobs=3)
    finished(made)
    made.leave_out(range(3))
    made.set_total_max_jobs(20)
    finished(made)
    assert made.stop_reason.code == "space_exhausted"
    assert sorted(made.to_dataframe()["x"].tolist()) == [1, 2, 3, 4, 5, 6]
    assert made.counts[TrialState.LEFT_OUT] == 3


def test_a_search_that_is_opened_again_leaves_it_out_and_its_strategy_too(search):
    made = finished(search(identity, optimizer_class=Learning, total_max_jobs=4, max_number_of_concurrent_tasks=1))
    best = made.best_trial.number
    made.leave_out(best)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, optimizer_class=Learning)
    assert again.trial(best).state is TrialState.LEFT_OUT
    assert again.best_trial.number == made.best_trial.number != best
    assert again.budget.jobs.used == 4
    again.set_total_max_jobs(5)
    finished(again)
    assert again.get_optimizer().known_at[0] == set(range(4)) - {best}
    again.take_back(best)
    assert again.best_trial.number == best


def test_one_that_runs_or_waits_is_refused_with_what_to_do(two_running, gate):
    made = two_running(total_max_jobs=3)
    with pytest.raises(ValueError, match=r"trial 1 still runs: .* stop_trial\(1\)"):
        made.leave_out([1])
    gate.open()
    made.wait()
    assert not made.counts[TrialState.LEFT_OUT]
    with pytest.raises(IndexError, match="there is no trial 3"):
        made.leave_out([0, 3])
    assert not made.counts[TrialState.LEFT_OUT]


def test_many_are_left_out_by_one_event_and_a_second_time_by_none(search):
    made = finished(search(identity, total_max_jobs=6))
    for _ in range(2):
        made.leave_out(made.trial(number) for number in (5, 1))
    made.take_back([])
    with closing(Journal.view(made.journal_path)) as reader, SearchViewer(made.journal_path) as viewer:
        events = [event for event in reader.events() if event["kind"] in {"leave_out", "take_back"}]
        assert [(event["kind"], event["numbers"]) for event in events] == [("leave_out", [5, 1])]
        assert viewer.counts[TrialState.LEFT_OUT] == 2


def test_scalars_that_are_no_objective_rank_without_it(search):
    made = finished(search(identity, total_max_jobs=3))
    with SearchViewer(made.journal_path) as viewer:
        worst, *others = [trial.number for trial in viewer.top_by("objective", "objective", "max", 3)]
        made.leave_out(worst)
        viewer.refresh()
        assert [trial.number for trial in viewer.top_by("objective", "objective", "max", 3)] == others


def test_archived_are_those_beyond_the_top_of_the_others(search):
    made = finished(search(identity, total_max_jobs=4, save_top_k_tasks_only=1))
    best, second = (trial.number for trial in made.top(2))
    made.leave_out(best)
    assert not made.trial(second).archived
    made.take_back(best)
    assert (made.trial(best).archived, made.trial(second).archived) == (False, True)
