"""Bad input and bad luck, each with its sentence."""

from __future__ import annotations

import re
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    OptimizerOptuna,
    ParameterSet,
    UniformIntegerParameterRange,
    UniformParameterRange,
)
from hpo_widgets.controller import controller, recorder
from hpo_widgets.journal import (
    JournalBusy,
    JournalDamaged,
    JournalError,
    JournalInUse,
    JournalVersionError,
    schema,
)
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.journal.conftest import locked
from tests.runs import X, finished, identity

# The constructor --------------------------------------------------------------------------------------------------


def rate(learning_rate):
    return learning_rate


BAD_ARGUMENTS = {
    "empty space": (lambda s: s(identity, []), "empty|at least one"),
    "an empty set": (lambda s: s(identity, [ParameterSet([])]), "empty|at least one"),
    "no choices": (lambda s: s(identity, [DiscreteParameterRange("x", [])]), "x"),
    "a space that is no list": (lambda s: s(identity, "x"), "hyper_parameters must be a list of Parameter objects"),
    "min above max": (lambda s: s(identity, [UniformParameterRange("x", 2, 1)]), "x.*(2|rise|below|above)"),
    "min equal to max": (lambda s: s(identity, [UniformParameterRange("x", 1, 1)]), "x.*(1|rise|below|above)"),
    "a name twice": (lambda s: s(identity, [X, X]), "x.*twice"),
    "an unknown parameter": (lambda s: s(identity, [X, UniformParameterRange("y", 0, 1)]), "has no parameter 'y'"),
    "a misspelt parameter": (
        lambda s: s(rate, [UniformParameterRange("learning_rat", 0, 1)]),
        "Did you mean 'learning_rate'",
    ),
    "a missing argument": (lambda s: s(lambda x, y: x, [X]), "requires 'y', missing from the space"),
    "an argument that a combination leaves out": (
        lambda s: s(lambda x, kind, y: x, [X, ParameterSet([{"kind": "a", "y": 1}, {"kind": "b"}])]),
        "requires .y., which not every combination",
    ),
    "no parameter at all": (lambda s: s(identity, [object()]), "object|Parameter"),
    "a class of parameter": (lambda s: s(identity, [UniformParameterRange]), "Parameter"),
    "a callable that cannot be pickled": (
        lambda s: s((lambda lock: lambda x: lock and x)(threading.Lock())),
        "cannot be sent to a worker.*lock",
    ),
    "an async callable": (lambda s: s(_async), "async"),
    "a function that was called": (
        lambda s: s(identity(0.5)),
        "got 0.5; give the function itself, not what it returns$",
    ),
    "no callable": (lambda s: s(3), "must be a callable, a pathlib.Path of a script, or a ClearML Task, its id"),
    "an id with a typing error": (lambda s: s("fa30fa45d95d4927b87c323b5b04dc4"), "32 hexadecimal digits"),
    "a script by str": (lambda s: s("train.py"), r"pass pathlib.Path\('train.py'\)"),
    "a missing script": (lambda s: s(Path("nothing.py")), "there is no script"),
    "unequal lists": (
        lambda s: s(
            identity,
            objective_metric_title=["a", "b"],
            objective_metric_series=["c"],
            objective_metric_sign=["min", "max"],
        ),
        "equal length, got 2, 1 and 2",
    ),
    "lists and a string": (
        lambda s: s(identity, objective_metric_title=["a"], objective_metric_series="c", objective_metric_sign="min"),
        "single string",
    ),
    "an endless title": (
        lambda s: s(identity, objective_metric_title="t" * 501, objective_metric_series="s"),
        "at most 500 characters",
    ),
    "an unknown sign": (lambda s: s(identity, objective_metric_sign="minimum"), "min"),
    "objectives without signs": (
        lambda s: s(identity, objective_metric_title=["a", "b"], objective_metric_series=["a", "b"]),
        r"need a sign each: objective_metric_sign=, a list such as \['min'\]",
    ),
    "an unknown keyword": (lambda s: s(identity, total_max_job=3), "Did you mean 'total_max_jobs'"),
    "a misspelt argument": (lambda s: s(identity, exec_queue="gpu"), "Did you mean 'execution_queue'"),
    "a keyword of Optuna": (lambda s: s(identity, n_trials=3), r"'n_trials'. Here it is total_max_jobs\."),
    "a time limit as in Optuna": (lambda s: s(identity, timeout=60), r"Here it is optimization_time_limit \(minutes\)"),
    "a sampler as in Optuna": (lambda s: s(identity, sampler=1), "Here it is optuna_sampler, with optimizer_class="),
    "a keyword of another strategy": (
        lambda s: s(identity, optimizer_class=GridSearch, optuna_sampler=None),
        r"GridSearch takes no keyword 'optuna_sampler'. It needs optimizer_class=OptimizerOptuna\.",
    ),
    "no jobs": (lambda s: s(identity, total_max_jobs=0), "total_max_jobs must be a whole number of at least 1, got 0"),
    "no workers": (lambda s: s(identity, max_number_of_concurrent_tasks=0), "max_number_of_concurrent_tasks"),
    "no time": (lambda s: s(identity, optimization_time_limit=0), "optimization_time_limit.*above 0"),
    "no compute time": (lambda s: s(identity, compute_time_limit=-1), "compute_time_limit.*above 0"),
    "no time a job": (lambda s: s(identity, time_limit_per_job=0), "time_limit_per_job.*above 0"),
    "no number of minutes": (lambda s: s(identity, optimization_time_limit="10"), "number of minutes"),
    "negative grace": (lambda s: s(identity, stop_grace=-1), "stop_grace.*at least 0"),
    "a negative seed": (lambda s: s(identity, seed=-1), "seed"),
    "a database as the journal": (
        lambda s: s(identity, journal="sqlite:///x.db"),
        r"journal is a folder, such as 'runs', or a file, .* not an address: got 'sqlite:///x\.db'",
    ),
    "no strategy": (lambda s: s(identity, optimizer_class=dict), "optimizer_class must be one of"),
    "a name that is none": (lambda s: s(identity, name=3), "name must be a str"),
    "limits of an unknown name": (lambda s: s(identity, limits={"y": (0, 1)}), "y"),
    "a grid without steps": (lambda s: s(identity, optimizer_class=OptimizerOptuna, optuna_sampler=3), "sampler"),
}


async def _async(x):
    return x


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments_raise_before_anything_runs(search, case, tmp_path):
    make, sentence = BAD_ARGUMENTS[case]
    with pytest.raises((TypeError, ValueError, OSError), match=sentence):
        make(search)
    assert not (tmp_path / "journals").exists()


def test_a_time_limit_in_the_past_is_refused(search):
    import datetime as dt

    made = search(identity)
    with pytest.raises(ValueError, match="lies in the past; it is"):
        made.set_time_limit(specific_time=dt.datetime.now() - dt.timedelta(seconds=1))
    with pytest.raises(ValueError, match="in_minutes is in minutes and must be above 0, got -1"):
        made.set_time_limit(in_minutes=-1)
    with pytest.raises(TypeError, match="specific_time must be a datetime"):
        made.set_time_limit(specific_time="tomorrow")
    assert made.get_time_limit() is None


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "Asia/Tokyo"])
def test_the_last_moment_of_all_is_refused_in_every_zone_and_the_limit_stays(search, local_zone, zone):
    import datetime as dt

    local_zone(zone)
    made = search(identity)
    made.set_time_limit(in_minutes=60)
    before = made.get_time_limit()
    with pytest.raises(ValueError, match="at most 1,000,000,000 minutes away"):
        made.set_time_limit(specific_time=dt.datetime.max)  # noqa: DTZ901 -- local time
    assert made.get_time_limit() == before


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_bad_numbers_are_refused_by_the_setters(search, number):
    made = search(identity)
    for setter in (made.set_total_max_jobs, made.set_max_number_of_concurrent_tasks):
        with pytest.raises((TypeError, ValueError), match="at least 1"):
            setter(number)
    with pytest.raises((TypeError, ValueError), match="at least 1"):
        made.get_top_experiments(number)


def test_a_callback_has_to_be_callable(search):
    with pytest.raises(TypeError, match="job_complete_callback must be callable, got 3"):
        search(identity).start(3)


def test_two_starts_are_one(search):
    made = search(identity, total_max_jobs=3)
    results = []
    threads = [threading.Thread(target=lambda: results.append(made.start())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.wait()
    assert len(made.snapshot()) == 3
    assert True in results


def test_stop_before_start_does_nothing(search):
    made = search(identity, total_max_jobs=2)
    made.stop()
    assert made.status is SearchStatus.IDLE
    assert made.stop_reason is None
    assert made.wait() is True
    assert made.is_active()
    finished(made)
    assert made.counts[TrialState.COMPLETED] == 2


# What a callable may do -------------------------------------------------------------------------------------------


def raises(x):
    raise KeyError("no luck")


def returns_a_string(x):
    return "0.5"


def exits(x):
    import os

    os._exit(3)


MISBEHAVIOUR = {
    raises: "KeyError: 'no luck'",
    returns_a_string: r"returned a str \('0.5'\)",
    exits: "3",
}


@pytest.mark.parametrize("function", MISBEHAVIOUR)
def test_a_trial_that_misbehaves_fails_with_its_sentence_and_the_search_goes_on(search, function):
    def train(x):
        return function(x) if x % 2 else float(x)

    made = finished(search(train, [UniformIntegerParameterRange("x", 0, 5)]))
    assert made.stop_reason.code == "space_exhausted"
    assert made.counts[TrialState.COMPLETED] == 3
    failed = [made.trial(number) for number in range(6) if made.trial(number).status == "failed"]
    assert len(failed) == 3

    assert all(re.search(MISBEHAVIOUR[function], trial.error) for trial in failed), failed[0].error
    if function is raises:
        assert "KeyError" in failed[0].get_output()[2]


def test_an_infinite_number_is_a_value_and_a_huge_one_too(search):
    def train(x):
        return (float("inf"), 10**400, -(10**30))[x]

    made = finished(search(train, [DiscreteParameterRange("x", [0, 1, 2])]))
    assert "return numbers below 1.8e308" in next(
        made.trial(n).error for n in range(3) if made.trial(n).status == "failed"
    )
    assert made.stop_reason.code == "space_exhausted"
    assert made.best_trial.parameters["x"] == 2


def test_an_objective_that_nobody_reports_ends_the_search_after_the_first_few(search):
    def train(x, trial):
        trial.report_scalar("validation", "los", x, 0)

    made = search(train, objective_metric_title="validation", objective_metric_series="loss", total_max_jobs=100)
    finished(made)
    assert made.stop_reason.code == "objective_never_reported"
    assert made.stop_reason.sentence == (
        "the first 3 trials ended without reporting 'validation/loss', only other scalars. "
        "Did you mean 'validation/los'?"
    )
    assert len(made.snapshot()) < 8
    assert made.status is SearchStatus.FAILED


def test_a_callable_that_returns_none_and_reports_nothing_is_told_so(search):
    made = finished(search(lambda x: None, total_max_jobs=100))
    assert made.stop_reason.code == "objective_never_reported"
    assert made.stop_reason.sentence.startswith("the first 3 trials returned and reported nothing: return a number")


def test_a_script_that_only_prints_its_result_is_told_how_to_report(search, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import sys; print('loss', sys.argv)", encoding="utf-8")
    made = search(
        script, objective_metric_title="validation", objective_metric_series="loss", total_max_jobs=100,
        max_number_of_concurrent_tasks=1,  # else the first one begun may be the last one running
    )  # fmt: skip
    finished(made)
    assert made.stop_reason.code == "objective_never_reported"
    assert made.stop_reason.sentence == (
        "the first 3 trials ended without reporting 'validation/loss'; it reported nothing: a script reports by "
        "hpo_widgets.report_scalar(title, series, value, iteration), not by what it prints or logs"
    )
    assert made.trial(0).status == "failed"


def test_a_callable_that_returns_nan_only_ends_by_failures(search):
    made = finished(search(lambda x: float("nan"), total_max_jobs=100, max_failures=4))
    assert made.stop_reason.code == "max_failures"
    assert made.stop_reason.sentence == ("4 trials in a row failed; the last: objective is NaN")


@pytest.fixture
def notebook_defines(monkeypatch):
    """``notebook_defines(source)`` defines what a cell with this source does, and gives its function ``train``."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "train", None, raising=False)

    def define(source):
        exec(source, vars(main))
        return main.train

    return define


WITH_ERROR = "def train(x):\n    return wrong"
DECORATED = "import functools\n@functools.lru_cache\ndef train(x):\n    return {}"


@pytest.mark.parametrize(
    ("before", "after", "is_told"),
    [
        (WITH_ERROR, "def train(x):\n    return x", True),
        ("def train(x, n=1): return x * n", "def train(x, n=2): return x * n", True),
        (DECORATED.format("wrong"), DECORATED.format("x"), True),
        (WITH_ERROR, WITH_ERROR, False),
        (WITH_ERROR, f"\n\n{WITH_ERROR}", False),
        (WITH_ERROR, "train = 3", False),
        ("train = lambda x: wrong", "train = lambda x: x", False),
    ],
)
def test_who_defines_a_function_otherwise_is_told_that_the_search_runs_the_earlier_one(
    search, notebook_defines, before, after, is_told
):
    made = search(notebook_defines(before), total_max_jobs=3)
    notebook_defines(after)
    finished(made)
    told = [notice.sentence for notice in made.errors if "defined otherwise" in notice.sentence]
    how = f"continue this search with OptimizerWidget.open({made.id!r}, base_task_id=train)"
    assert [how in sentence for sentence in told] == [True] * is_told


def test_a_search_goes_on_with_the_function_that_was_corrected(search, notebook_defines):
    made = finished(search(notebook_defines(WITH_ERROR), total_max_jobs=20, max_failures=2))
    assert made.stop_reason.code == "max_failures"
    corrected = notebook_defines("def train(x):\n    return x")
    opened = HyperParameterOptimizer.open(made.id, base_task_id=corrected, journal=made.journal_path.parent)
    finished(opened)
    assert opened.stop_reason.code == "total_max_jobs"
    assert opened.errors == []


# The journal ------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_lets_no_search_start(search, tmp_path):
    (tmp_path / "file").write_text("no folder")
    made = search(identity, journal=tmp_path / "file" / "journals")
    with pytest.raises(JournalError, match="journal="):
        made.start()
    assert made.status is SearchStatus.IDLE
    assert not made.is_running()
    assert made.wait()


@pytest.fixture
def ended(search):
    return finished(search(identity, total_max_jobs=2))


def opened(path):
    return HyperParameterOptimizer.open(path, base_task_id=identity)


def test_a_truncated_journal_is_left_untouched(ended):
    path = ended.journal_path
    path.write_bytes(path.read_bytes()[:5000])
    before = path.read_bytes()
    with pytest.raises(JournalDamaged, match="left untouched"):
        opened(path)
    assert path.read_bytes() == before


def test_a_journal_of_a_newer_version_is_left_untouched(ended):
    path = ended.journal_path
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(JournalVersionError, match="newer"):
        opened(path)
    assert path.read_bytes() == before


def test_a_journal_of_a_live_process_cannot_be_continued(search, held, until, gate):
    first = finished(search(held, total_max_jobs=1))
    second = HyperParameterOptimizer.open(first.journal_path, base_task_id=held)
    gate.shut()
    first.set_total_max_jobs(2)
    first.start()
    until(first, lambda: first.counts[TrialState.RUNNING] == 1)
    second._controller.state.settings.total_max_jobs = 5
    with pytest.raises(JournalInUse, match="running in this process itself"):
        second.start()
    assert not second.is_running()
    gate.open()
    assert first.wait()


def on_the_journal(made, statement):
    made._controller.submit(lambda: made._recorder._journal._connection.execute(statement).fetchall()).result()


@pytest.fixture
def held_search(two_running, held):
    """A search whose two trials wait before the gate."""

    def print_much(x):
        x = held(x)
        print("x" * 15_000)
        return x

    return two_running(base_task_id=print_much, seed=1)


def test_a_full_disk_ends_the_search_and_what_was_not_written_is_written_later(held_search, gate, until):
    made = held_search
    on_the_journal(made, "PRAGMA max_page_count = 1")  # SQLite's own way to be out of space
    gate.open()
    assert made.wait()
    assert made.stop_reason.code == "error"
    assert "the disk is full" in made.stop_reason.sentence
    assert made.status is SearchStatus.FAILED
    assert made.get_num_active_experiments() == 0
    sentences = [notice.sentence for notice in made.errors]
    assert any("kept in memory" in sentence for sentence in sentences)
    # The files were closed, so there is space again.
    launched = made.budget.jobs.used
    made.set_total_max_jobs(launched + 5)
    finished(made)
    assert made.stop_reason.code == "total_max_jobs"
    assert len(made.snapshot()) == launched + 5
    assert made.counts[TrialState.RUNNING] == 0
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.counts == made.counts
        assert [notice.sentence for notice in viewer.errors][: len(sentences)] == sentences


def test_a_search_waits_for_a_lock_on_its_journal_and_says_so(two_running, gate, until, monkeypatch):
    monkeypatch.setattr(recorder, "LOCK_NOTICE_SECONDS", 0.0)
    made = two_running(total_max_jobs=6, seed=1)
    with locked(made.journal_path):
        gate.open()
        until(made, lambda: made.errors)
        assert "another program holds" in made.errors[-1].sentence
        assert made.counts == {**dict.fromkeys(TrialState, 0), TrialState.RUNNING: 2}  # shown is what is durable
        assert made.is_running()
    assert made.wait()
    assert made.stop_reason.code == "total_max_jobs"
    assert made.counts[TrialState.COMPLETED] == 6
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.counts == made.counts


def test_no_long_trial_is_launched_while_a_lock_keeps_its_launch_from_the_journal(two_running, gate):
    made = two_running(total_max_jobs=6, seed=1)
    with locked(made.journal_path):
        made.set_max_number_of_concurrent_tasks(4)
        while made._recorder.locked_since is None:
            made._controller.submit(lambda: None).result()
        assert len(made._controller.state.active) == 2
    gate.open()
    assert made.wait()
    assert made.counts[TrialState.COMPLETED] == 6


def test_stop_does_not_wait_for_a_lock_on_the_journal_and_the_end_is_written_behind_it(two_running):
    made = two_running(total_max_jobs=6)
    with locked(made.journal_path):
        made.stop()
        assert made._controller._engine._running == {}
        assert made.status is SearchStatus.STOPPING
    assert made.wait()
    assert made.stop_reason.code == "stopped"
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.status is SearchStatus.STOPPED
        assert viewer.counts[TrialState.ABORTED] == 2


def test_a_model_knows_the_results_that_a_lock_keeps_from_the_journal(two_running, gate, until):
    made = two_running(optimizer_class=OptimizerOptuna, total_max_jobs=4, seed=1)
    with locked(made.journal_path):
        gate.open()
        while made._recorder.locked_since is None or len(made._controller.state.active):
            made._controller.submit(lambda: None).result()
        made.set_range("x", (0.0, 0.9))
        made._controller.submit(lambda: None).result()
    assert made.wait()
    # A search that ends does not wait until its model has heard of the last trials, but these came before others.
    known = {trial.value for trial in made.get_optimizer().study.trials if trial.state.name == "COMPLETE"}
    assert {made.trial(0).value, made.trial(1).value} <= known


def test_a_lock_that_stays_ends_a_stopped_search_that_keeps_what_it_had(two_running, gate, monkeypatch):
    monkeypatch.setattr(controller, "LOCK_PATIENCE", 0.1)
    made = two_running(total_max_jobs=6)
    with locked(made.journal_path):
        made.stop()
        assert made.wait()
        assert made.stop_reason.code == "error"
        assert "locked" in made.stop_reason.sentence
    gate.open()
    finished(made)  # what was kept is written now
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.counts[TrialState.ABORTED] == 2


def test_a_journal_locked_at_the_start_is_said_to_be(ended, monkeypatch):
    ended._controller.state.settings.total_max_jobs = 5
    monkeypatch.setattr("hpo_widgets.journal.connection.BUSY_TIMEOUT", 0.02)
    with locked(ended.journal_path), pytest.raises(JournalBusy, match="has locked it"):
        ended.start()
    assert not ended.is_running()
    finished(ended)
    assert ended.counts[TrialState.COMPLETED] == 5


def test_what_no_member_can_answer_is_refused_with_what_to_give(search):
    made = finished(search(identity, total_max_jobs=1))
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        for asked in (made, viewer):
            with pytest.raises(IndexError, match="the index of an objective is 0, as there is one, got 3"):
                asked.best_by(3)
            with pytest.raises(IndexError, match="the index of an objective is 0, as there is one, got -1"):
                asked.best_by(-1)
            with pytest.raises(TypeError, match="the index of an objective must be a whole number, got 'a'"):
                asked.best_by("a")
            with pytest.raises(TypeError, match="the number of trials must be a whole number, got 'a'"):
                asked.top("a")
            with pytest.raises(TypeError, match="timeout must be a number of minutes, .* got 'x'"):
                asked.wait("x")
    with pytest.raises(TypeError, match="timeout must be a number of minutes"):
        made.stop("x")


def test_the_index_of_one_of_several_objectives_is_below_their_number(search):
    titles, signs = ["a", "b"], ["min", "max"]
    made = search(identity, objective_metric_title=titles, objective_metric_series=titles, objective_metric_sign=signs)
    with pytest.raises(IndexError, match="the index of an objective is from 0 to 1, got 2"):
        made.best_by(2)


def test_choices_that_are_too_long_for_a_journal_are_refused_before_they_hold_up_what_it_writes(search, monkeypatch):
    def train(kind):
        return len(kind)

    made = finished(search(train, [DiscreteParameterRange("kind", ["a"])], optimizer_class=GridSearch))
    monkeypatch.setattr("hpo_widgets.journal.connection.MOST_BYTES", 20_000)
    with pytest.raises(ValueError, match="a longer text than a journal takes: give 'kind' short names"):
        made.add_choices("kind", ["b" * 15_000])
    made.add_choices("kind", ["bb"])
    finished(made)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.counts[TrialState.COMPLETED] == 2
        assert viewer.space.ranges["kind"] == ("a", "bb")
