"""Searches that begin with the trials of a study of Optuna."""

from __future__ import annotations

import math
import time

import optuna
import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    HyperParameterOptimizer,
    OptimizerOptuna,
    OptimizerWidget,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.journal import JournalError
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.runs import finished


def objective(trial):
    """An objective of Optuna: one parameter depends on a choice, some trials fail, some may be pruned."""
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    solver = trial.suggest_categorical("solver", ["adam", "sgd"])
    momentum = trial.suggest_float("momentum", 0, 0.9) if solver == "sgd" else 0.0
    units = trial.suggest_int("units", 8, 64, step=8)
    trial.set_user_attr("size", units / 2)
    trial.set_user_attr("kind", "dense")
    for step in range(3):
        trial.report(rate + momentum + units / 64 + 1 / (1 + step), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    if trial.number == 3:
        raise ValueError("no luck")
    return rate + momentum + units / 64


def train(rate, solver, units, momentum=0.0):
    return rate + units / 64 + momentum


@pytest.fixture
def study():
    made = optuna.create_study(study_name="nets", sampler=optuna.samplers.RandomSampler(seed=0))
    made.optimize(objective, n_trials=20, catch=ValueError)
    return made


@pytest.fixture
def read(tmp_path):
    """``read(study, ...)`` gives a search that is stopped, or a view that is closed, after the test."""
    made = []

    def make(*arguments, **keywords):
        made.append(HyperParameterOptimizer.from_optuna(*arguments, **{"journal": tmp_path / "journals", **keywords}))
        return made[-1]

    yield make
    for one in made:
        one.close() if isinstance(one, SearchViewer) else one.stop()


def state_of(trial):
    return {"COMPLETE": "completed", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name]


def test_a_view_has_the_points_states_values_and_times_of_all_trials(read, study):
    view = read(study)
    assert isinstance(view, SearchViewer)
    assert (view.name, view.status, view.strategy_title) == ("nets", SearchStatus.IDLE, "Optuna")
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED", "FAIL"}
    for theirs in study.trials:
        ours = view.trial(theirs.number)
        assert (ours.number, ours.status, dict(ours.parameters)) == (theirs.number, state_of(theirs), theirs.params)
        assert ours.started == theirs.datetime_start.timestamp()
        assert ours.duration == pytest.approx(theirs.duration.total_seconds(), abs=1e-5)
        curve = ours.get_reported_scalars()["objective"]["objective"]
        assert dict(zip(curve["x"], curve["y"], strict=True)) == theirs.intermediate_values
        if theirs.state.name != "FAIL":
            assert ours.value == theirs.value
        assert ours.summary["size/size"][0] == theirs.user_attrs["size"]
    assert view.best_trial.number == study.best_trial.number
    assert view.trial(3).error == "Optuna keeps no reason"


def test_the_space_has_the_ranges_of_the_study_and_what_depends_on_a_choice(read, study):
    space = read(study).space
    assert space.ranges == {
        "rate": (1e-4, 1e-1), "solver": ("adam", "sgd"), "momentum": (0.0, 0.9), "units": (8, 64)
    }  # fmt: skip
    assert (space.leaf("rate").kind, space.leaf("units").step) == ("log", 8)
    assert space.names_of_every_point == {"rate", "solver", "units"}
    assert all(space.contains(trial.params) for trial in study.trials)


def test_it_goes_on_with_the_objective_of_the_study_and_what_is_left_of_the_budget(read, study):
    made = finished(read(study, objective, total_max_jobs=30, optimizer_class=OptimizerOptuna, seed=1))
    assert made.stop_reason.code == "total_max_jobs"
    assert sum(made.counts.values()) == 30
    new = [made.trial(number) for number in range(20, 30)]
    assert {trial.state for trial in new} <= {TrialState.COMPLETED, TrialState.PRUNED}
    completed = [trial for trial in new if trial.state is TrialState.COMPLETED]
    assert completed
    for trial in completed:
        at = trial.parameters
        assert trial.value == at["rate"] + at.get("momentum", 0.0) + at["units"] / 64
        assert trial.summary["objective/objective"][-1] == 4  # three reports and the value that was returned
        assert trial.summary["size/size"][0] == at["units"] / 2
        assert "kind/kind" not in trial.summary
    assert len(made.get_optimizer().study.trials) >= 29  # the failed one may be left out


def test_it_goes_on_with_a_function_of_the_parameters(read, study):
    made = finished(read(study, train, total_max_jobs=22))
    assert [made.trial(number).state for number in (20, 21)] == [TrialState.COMPLETED] * 2


def test_it_is_opened_again_as_any_other_search(read, study, tmp_path):
    made = finished(read(study, objective, total_max_jobs=21))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=objective)
    again.set_total_max_jobs(23)
    assert sum(finished(again).counts.values()) == 23


def test_arguments_that_a_journal_cannot_hold_are_given_once(read, study):
    """The search is made and opened; what only the constructor takes, and what `open` needs, are told apart."""
    made = read(
        study, train, total_max_jobs=24, max_failures=None, name="mine", limits={"rate": (1e-5, 1)},
        optimizer_class=OptimizerOptuna, optuna_sampler=optuna.samplers.RandomSampler(seed=1),
        constraint=lambda units: units < 40, worker_env=lambda _index: {"A": "1"}, max_number_of_concurrent_tasks=1,
        optimization_time_limit=60, save_top_k_tasks_only=5, objective_metric_sign="min_global",
    )  # fmt: skip
    finished(made)
    assert (made.name, made.total_max_jobs, made.max_number_of_concurrent_tasks) == ("mine", 24, 1)
    assert all(made.trial(number).parameters["units"] < 40 for number in range(20, 24))
    assert made.objectives[0].sign == "min_global"


def test_several_objectives_and_a_tuple_that_the_objective_returns(read):
    def two(trial):
        x = trial.suggest_float("x", 0, 1)
        return x, 1 - x

    study = optuna.create_study(directions=["minimize", "maximize"])
    study.optimize(two, n_trials=5)
    study.set_metric_names(["loss", "speed/test"])
    made = finished(read(study, two, total_max_jobs=8))
    assert [(one.title, one.series, one.sign) for one in made.objectives] == [
        ("loss", "loss", "min"), ("speed", "test", "max")
    ]  # fmt: skip
    for number in range(8):
        trial = made.trial(number)
        assert trial.values == (trial.parameters["x"], 1 - trial.parameters["x"])


def test_trials_that_run_or_wait_in_the_study(read):
    study = optuna.create_study()
    study.enqueue_trial({"x": 0.5})
    study.enqueue_trial({"x": 0.25})
    running = study.ask({"x": optuna.distributions.FloatDistribution(0, 1)})
    assert running.params == {"x": 0.5}
    study.add_trial(
        optuna.trial.create_trial(
            value=1.0, params={"x": 0.75}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)}
        )
    )
    view = read(study)
    assert [(trial.status, dict(trial.parameters)) for trial in (view.trial(0), view.trial(1))] == [
        ("aborted", {"x": 0.5}), ("completed", {"x": 0.75})
    ]  # fmt: skip
    assert sum(view.counts.values()) == 2


def test_trials_that_ran_at_the_same_time_have_different_workers(read):
    def slow(trial):
        return time.sleep(0.02 * trial.suggest_int("n", 1, 3)) or 1.0

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(slow, n_trials=12, n_jobs=3)
    view = read(study)
    trials = [view.trial(number) for number in range(12)]
    assert max(trial.worker for trial in trials) <= 3
    for one in trials:
        for other in trials[one.number + 1 :]:
            overlap = min(one.ended, other.ended) - max(one.started, other.started)
            assert overlap <= 1e-5 or one.worker != other.worker


def test_a_study_of_a_file_and_hyper_parameters_of_ones_own(read, tmp_path):
    study = optuna.create_study(storage=f"sqlite:///{tmp_path}/study.db", study_name="kept")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    loaded = optuna.load_study(storage=f"sqlite:///{tmp_path}/study.db", study_name="kept")
    own = [UniformParameterRange("x", 0, 2), UniformParameterRange("y", 0, 1)]
    with pytest.raises(ValueError, match="no parameter 'x'"):
        read(loaded, hyper_parameters=own[1:])
    view = read(loaded, hyper_parameters=own[:1])
    assert view.space.ranges == {"x": (0.0, 2.0)}
    assert [trial.value for trial in study.trials] == [view.trial(number).value for number in range(3)]
    assert len(list((tmp_path / "journals").glob("*.sqlite"))) == 1  # what was refused has left no file


def test_values_that_the_parameters_do_not_have_are_refused(read, study):
    own = [
        UniformParameterRange("rate", 0, 1), UniformParameterRange("momentum", 0, 1),
        UniformIntegerParameterRange("units", 1, 99), DiscreteParameterRange("solver", ["adam"]),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"trial \d+ of the study: .*'sgd'"):
        read(study, hyper_parameters=own)


def test_a_journal_that_is_there_is_kept(read, study, tmp_path):
    path = read(study, journal=tmp_path / "one.sqlite").journal_path
    before = path.read_bytes()
    with pytest.raises(JournalError):
        read(study, journal=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "match"),
    [
        pytest.param(("study.db",), {}, TypeError, "takes a study of Optuna, such as optuna.load_study", id="a path"),
        pytest.param((None,), {}, TypeError, "takes a study of Optuna", id="None"),
        pytest.param((optuna.create_study(),), {}, ValueError, "hyper_parameters=", id="no trial"),
    ],
)
def test_what_is_no_study_with_trials_is_refused(read, arguments, keywords, error, match):
    with pytest.raises(error, match=match):
        read(*arguments, **keywords)


def test_arguments_of_further_trials_need_what_runs_them(read, study):
    with pytest.raises(TypeError, match=r"seed, total_max_jobs: arguments need base_task_id="):
        read(study, total_max_jobs=5, seed=1)


def test_a_task_of_clearml_is_refused(read, study):
    with pytest.raises(ValueError, match="continue_previous_study"):
        read(study, "0" * 32)


def test_another_number_of_objectives_is_refused(read, study):
    names = {"objective_metric_title": ["a", "b"], "objective_metric_series": ["a", "b"]}
    with pytest.raises(ValueError, match="the study has 1 objective, got 2"):
        read(study, train, objective_metric_sign=["min", "min"], **names)


def test_a_panel_says_how_a_study_is_shown(study):
    with pytest.raises(TypeError, match=r"HyperParameterOptimizer\.from_optuna\(study\)"):
        OptimizerWidget(study)


def test_there_and_back_again_is_the_same(read, study):
    back = read(study).to_optuna()
    for theirs, ours in zip(study.trials, back.trials, strict=True):
        assert (ours.params, ours.state) == (theirs.params, theirs.state)
        assert ours.value == (theirs.value if theirs.state.name == "COMPLETE" else ours.value)


def test_user_attributes_that_can_be_no_scalar_are_passed_over_here_and_in_a_worker(read):
    def strange(trial):
        values = {
            "": 1,
            "x" * 501: 2,
            "objective": 3,
            "large": 10**400,
            "yes": True,
            "nothing": None,
            "a/b": 4,
            "i": math.inf,
        }
        for key, value in values.items():
            trial.set_user_attr(key, value)
        return trial.suggest_float("x", 0, 1)

    study = optuna.create_study()
    study.optimize(strange, n_trials=1)
    made = finished(read(study, strange, total_max_jobs=2))
    for number in (0, 1):
        trial = made.trial(number)
        assert (trial.status, trial.value) == ("completed", trial.parameters["x"])
        assert trial.summary.keys() == {"objective/objective", "a/b/a/b", "i/i"}


def test_reports_that_are_no_number_and_infinite_values(read):
    study = optuna.create_study(direction="maximize")

    def strange(trial):
        trial.report(math.nan, 0)
        trial.report(2.0, 5)
        return math.inf if trial.suggest_int("n", 0, 1) else 1.0

    study.enqueue_trial({"n": 0})
    study.enqueue_trial({"n": 1})
    study.optimize(strange, n_trials=2)
    view = read(study)
    assert [view.trial(number).value for number in (0, 1)] == [1.0, math.inf]
    assert view.trial(0).iterations == (5,)
