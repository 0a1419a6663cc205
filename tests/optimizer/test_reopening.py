"""A search after the death of its kernel, in another process, or just later."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import psutil
import pytest
from optuna.pruners import ThresholdPruner
from optuna.samplers import QMCSampler, RandomSampler

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    OptimizerBOHB,
    OptimizerOptuna,
    RandomSearch,
    UniformIntegerParameterRange,
    UniformParameterRange,
    replay,
    report_scalar,
)
from hpo_widgets.journal import Journal, JournalError, JournalInUse, journals
from hpo_widgets.search import COMMANDS, SearchStatus
from hpo_widgets.search.readable import is_over
from hpo_widgets.strategies.base import Proposal, SearchStrategy
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.conftest import DEADLINE
from tests.runs import finished, identity

TRAIN = """
    def train(x):
        import os, time
        while os.path.exists("hold") and x != 0.5:
            time.sleep(0.002)
        return x
"""

KERNEL = """
    import os, sys, threading
    from hpo_widgets import HyperParameterOptimizer, UniformParameterRange
{train}
    optimizer = HyperParameterOptimizer(
        train, [UniformParameterRange("x", 0, 1)], total_max_jobs=30, seed=5, journal="journals",
        max_number_of_concurrent_tasks=2,
    )
    {script}
    threading.Event().wait()
"""

exec(textwrap.dedent(TRAIN))  # the same callable here as in the kernel


@pytest.fixture
def kernel(tmp_path):
    """``kernel(script)`` starts a process with a search ``optimizer``; gives its journal once it is there."""
    processes = []

    def start(script):
        (tmp_path / "hold").touch()
        text = textwrap.dedent(KERNEL.format(train=TRAIN, script=script))
        process = subprocess.Popen([sys.executable, "-c", text], cwd=tmp_path, env=os.environ | {"PYTHONPATH": root()})
        processes.append(process)
        deadline = time.monotonic() + DEADLINE
        while not (found := journals(tmp_path / "journals")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.005)
        [path] = found
        return process, path

    yield start
    for process in processes:
        process.kill()
        process.wait()


def root():
    import hpo_widgets

    return os.path.dirname(os.path.dirname(hpo_widgets.__file__))


def kill(process):
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=DEADLINE)
    assert not alive


RELEASE_TEN = """
    # Ten enqueued trials end at once; those of the strategy wait.
    for _ in range(10):
        optimizer.enqueue_trial({"x": 0.5})
    optimizer.start()
"""


def one_line(script):
    return textwrap.dedent(script).strip().replace("\n", "\n    ")


def test_a_search_whose_kernel_was_killed_is_continued_by_another_process(kernel, until, tmp_path):
    process, path = kernel(one_line(RELEASE_TEN))
    with SearchViewer(path) as viewer:
        until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 10 and viewer.counts[TrialState.RUNNING] == 2)
        assert viewer.status is SearchStatus.RUNNING
        shown = {number: (viewer.trial(number).parameters, viewer.trial(number).values) for number in range(12)}
        kill(process)
        until(viewer, lambda: viewer.status is SearchStatus.STOPPED)
        assert "base_task_id" in viewer.capabilities["start"]

    again = HyperParameterOptimizer.open(path, base_task_id=train)  # noqa: F821
    assert again.status is SearchStatus.STOPPED
    assert again.elapsed_minutes > 0
    # The first opening has given back the lease of the dead process, which says how long that ran.
    once_more = HyperParameterOptimizer.open(path, base_task_id=train)  # noqa: F821
    assert once_more.elapsed_minutes == pytest.approx(again.elapsed_minutes)
    with SearchViewer(path) as viewer:
        assert viewer.elapsed_minutes == pytest.approx(again.elapsed_minutes)
    assert {n: (again.trial(n).parameters, again.trial(n).values) for n in range(12)} == shown
    assert [again.trial(number).status for number in (10, 11)] == ["aborted", "aborted"]
    assert again.trial(10).error == "Aborted: the process that ran the search ended while this trial was running."
    assert again.budget.jobs.used == 12
    assert again.get_num_active_experiments() == 0

    (tmp_path / "hold").unlink()
    assert again.start()
    assert again.wait()
    assert again.counts == {
        **dict.fromkeys(TrialState, 0),
        TrialState.COMPLETED: 28,
        TrialState.ABORTED: 2,
    }
    uninterrupted = HyperParameterOptimizer(
        identity, [UniformParameterRange("x", 0, 1)], total_max_jobs=20, seed=5, journal=tmp_path / "other"
    )
    uninterrupted.start()
    uninterrupted.wait()
    drawn = [again.trial(number) for number in range(10, 30)]
    assert [trial.parameters for trial in drawn] == [uninterrupted.trial(n).parameters for n in range(20)]
    assert {trial.epoch for trial in drawn} == {0}


def test_a_recorded_result_outlives_the_kernel_and_is_no_trial_that_ran(kernel, until):
    script = """
        optimizer.add_trial({"x": 0.25}, -2.0, tags=["paper"])
        optimizer.start()
        optimizer.add_trial({"x": 0.75}, -1.0)
    """
    process, path = kernel(one_line(script))
    with SearchViewer(path) as viewer:
        until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 2 and viewer.counts[TrialState.RUNNING] == 2)
        numbers = [number for number in range(4) if viewer.trial(number).is_recorded]
        shown = [viewer.trial(number) for number in numbers]
        kill(process)
        until(viewer, lambda: viewer.status is SearchStatus.STOPPED)
        assert [(trial.parameters["x"], trial.value, trial.tags) for trial in shown] == [
            (0.25, -2.0, ("paper",)),
            (0.75, -1.0, ()),
        ]
        assert viewer.budget.jobs.used == 2
    again = HyperParameterOptimizer.open(path, base_task_id=train)  # noqa: F821
    assert again.budget.jobs.used == 2
    assert [again.trial(number) for number in numbers] == shown
    assert again.best_trial.number == 0


def test_a_search_killed_while_paused_reopens_paused_with_its_ranges_and_undo(kernel, until, tmp_path):
    script = """
        optimizer.set_range("x", (0.1, 0.9))
        optimizer.set_range("x", (0.2, 0.8))
        optimizer.undo()
        optimizer.set_total_max_jobs(4)
        optimizer.pause()
        optimizer.enqueue_trial({"x": 0.5})
        optimizer.start()
    """
    process, path = kernel(one_line(script))
    with SearchViewer(path) as viewer:
        until(viewer, lambda: viewer.status is SearchStatus.PAUSED and viewer.total_max_jobs == 4)
        kill(process)
    (tmp_path / "hold").unlink()
    again = HyperParameterOptimizer.open(path, base_task_id=train)  # noqa: F821
    assert again.status is SearchStatus.PAUSED
    assert again.space.ranges == {"x": (0.1, 0.9)}
    assert [mark.epoch for mark in again.epochs] == [0, 1, 2, 3]
    assert again.capabilities["redo"] is None
    assert again.start()
    assert again.status is SearchStatus.PAUSED
    assert again.wait(0.0005) is False
    again.resume()
    assert again.wait()
    assert again.trial(0).parameters == {"x": 0.5}  # was enqueued all the time
    assert len(again.snapshot()) == 4
    assert all(0.1 <= again.trial(number).parameters["x"] <= 0.9 for number in range(4))
    again.redo()
    assert again.space.ranges == {"x": (0.2, 0.8)}
    again.undo()
    again.undo()
    assert again.space.ranges == {"x": (0, 1)}


ADD_AND_DIE = """
    import os, signal
    from hpo_widgets import DiscreteParameterRange, GridSearch, HyperParameterOptimizer, UniformParameterRange
{train}
    optimizer = HyperParameterOptimizer(
        train, [UniformParameterRange("x", 0, 1, step_size=0.5), DiscreteParameterRange("kind", ["a", 1])],
        optimizer_class=GridSearch, journal="journals", max_number_of_concurrent_tasks=1,
    )
    if {runs}:
        optimizer.start()
        optimizer.wait()
        optimizer.set_range("kind", ["a"])
    optimizer.start()
    optimizer.add_choices("kind", ["resnet", 1.0])
    os.kill(os.getpid(), signal.SIGKILL)
"""
TRAIN_KIND = """
    def train(x, kind):
        return x + len(str(kind))
"""


@pytest.mark.parametrize("runs", [False, True])
def test_a_choice_that_was_added_outlives_a_kernel_that_is_killed_right_after(tmp_path, runs):
    script = textwrap.dedent(ADD_AND_DIE.format(train=TRAIN_KIND, runs=runs))
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=os.environ | {"PYTHONPATH": root()}, check=False)
    [path] = journals(tmp_path / "journals")

    def train(x, kind):
        return x + len(str(kind))

    again = HyperParameterOptimizer.open(path, base_task_id=train)
    first = ("a",) if runs else ("a", 1)
    assert again.space.ranges["kind"] == (*first, "resnet", 1.0)
    assert again.epochs[-1].changed == {"kind": (*first, "resnet", 1.0)}
    assert '["a", "resnet", 1.0]' in again.as_code() if runs else '["a", 1, "resnet", 1.0]' in again.as_code()
    finished(again)
    snapshot = again.snapshot()
    assert len(set(map(tuple, snapshot.encoded(snapshot.numbers)))) == len(snapshot) == 12  # none twice
    again.undo()
    assert again.space.ranges["kind"] == first
    twice = HyperParameterOptimizer.open(path, base_task_id=train)
    twice.redo()
    assert twice.space.ranges["kind"] == (*first, "resnet", 1.0)


def test_resume_starts_a_search_that_was_reopened_paused(kernel, until, tmp_path):
    process, path = kernel("optimizer.pause(); optimizer.set_total_max_jobs(2); optimizer.start()")
    with SearchViewer(path) as viewer:
        until(viewer, lambda: viewer.status is SearchStatus.PAUSED)
        kill(process)
    (tmp_path / "hold").unlink()
    again = HyperParameterOptimizer.open(path, base_task_id=identity)
    again.resume()
    assert again.status is SearchStatus.RUNNING or again.counts[TrialState.COMPLETED]
    assert again.wait()
    assert again.counts[TrialState.COMPLETED] == 2


def test_there_is_nothing_to_wait_for_in_a_search_that_was_reopened_paused_until_it_is_started(search, tmp_path):
    made = search(identity)
    made.pause()
    made.start()
    made.add_trial({"x": 0.5}, 1.0)  # is durable, and so is what was before
    again = HyperParameterOptimizer.open(made.backup(tmp_path / "copy.sqlite"), base_task_id=identity)
    assert again.status is SearchStatus.PAUSED
    assert is_over(again)
    assert again.wait(DEADLINE / 60, progress=True) is True
    try:
        assert again.start()
        assert not is_over(again)
        assert again.wait(0.0005, progress=True) is False
    finally:
        again.stop()


def test_with_a_live_owner_there_is_a_view_that_follows(kernel, until, tmp_path):
    process, path = kernel(one_line(RELEASE_TEN))
    with SearchViewer(path) as first:
        until(first, lambda: first.counts[TrialState.RUNNING] == 2)
    viewer = HyperParameterOptimizer.open(path, base_task_id=train)  # noqa: F821
    assert isinstance(viewer, SearchViewer)
    try:
        assert set(viewer.capabilities) == set(COMMANDS)
        who = f"another process runs this search (process {process.pid} on {platform.node()}); this is a view of it"
        assert set(viewer.capabilities.values()) == {who}
        for name in (*COMMANDS, "start_locally", "set_report_period"):
            with pytest.raises(RuntimeError, match=re.escape(f"{name}() cannot be done here: {who}")):
                getattr(viewer, name)()
        with pytest.raises(AttributeError, match="no attribute 'strat'"):
            viewer.strat()
        with pytest.raises(JournalInUse, match=f"process {process.pid}"):
            Journal.open(path)
        version = viewer.snapshot().version
        (tmp_path / "hold").unlink()
        until(viewer, lambda: viewer.status is SearchStatus.COMPLETED)
        assert viewer.stop_reason.code == "total_max_jobs"
        assert viewer.counts[TrialState.COMPLETED] == 30
        assert {10, 11, 29} <= set(viewer.changes_since(version).numbers.tolist())
        assert viewer.best_trial == viewer.top(1)[0]
        assert viewer.budget.jobs.used == 30
    finally:
        viewer.close()


def test_a_view_has_a_choice_that_its_owner_adds_and_the_trials_that_have_it(kernel, until, tmp_path):
    script = """
        from hpo_widgets import DiscreteParameterRange
        optimizer = HyperParameterOptimizer(train, [DiscreteParameterRange("x", [0.5])], journal="journals")
        optimizer.start()
        while not os.path.exists("add"):
            threading.Event().wait(0.002)
        optimizer.wait()
        optimizer.add_choices("x", [0.25])
        optimizer.start()
    """
    process, path = kernel(one_line(script))
    with HyperParameterOptimizer.open(path) as viewer:
        until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 1)
        (tmp_path / "add").touch()
        until(viewer, lambda: viewer.counts[TrialState.RUNNING] == 1)
        assert viewer.space.ranges["x"] == (0.5, 0.25)
        assert viewer.trial(1).parameters == {"x": 0.25}
        (tmp_path / "hold").unlink()
        until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 2)
        assert (viewer.best_trial.number, list(viewer.errors)) == (1, [])
    kill(process)


def test_an_unknown_argument_is_refused_also_while_the_owner_lives(two_running):
    made = two_running()
    with pytest.raises(TypeError, match="takes no keyword 'worker_en'. Did you mean 'worker_env'"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, worker_en={})
    with pytest.raises(TypeError, match="OptimizerOptuna takes no keyword 'nonsense'"):
        HyperParameterOptimizer.open(
            made.journal_path, base_task_id=identity, optimizer_class=OptimizerOptuna, nonsense=3
        )
    known = {"worker_env": [{}], "execution_queue": "gpu", "optimizer_class": OptimizerOptuna, "optuna_sampler": None}
    with HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, **known) as viewer:
        assert viewer.is_view


@pytest.mark.parametrize("by_a_view", [False, True])
def test_a_copy_of_a_search_that_runs_says_so_and_keeps_how_long_it_had_run(two_running, tmp_path, by_a_view):
    made = two_running()
    before = made.elapsed()
    if by_a_view:
        with SearchViewer(made.journal_path) as viewer:
            copy = viewer.backup(tmp_path / "copy.sqlite")
    else:
        copy = made.backup(tmp_path / "copy.sqlite")
    with SearchViewer(copy) as viewer:
        assert (viewer.status, viewer.owner_died) == (SearchStatus.STOPPED, True)
        [notice] = viewer.errors
        assert notice.sentence.startswith("this is a copy that was made while the search was running")
        assert viewer.elapsed_minutes >= before > 0
    again = HyperParameterOptimizer.open(copy, base_task_id=identity)
    assert again.elapsed() >= before
    assert again.counts[TrialState.ABORTED] == 2


def test_a_view_follows_a_search_of_this_process(two_running, gate, until):
    made = two_running(total_max_jobs=6)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        until(viewer, lambda: viewer.counts[TrialState.RUNNING] == 2)
        assert viewer.status is SearchStatus.RUNNING
        made.set_range("x", (0.1, 0.2))
        until(viewer, lambda: len(viewer.epochs) == 2)
        made.pause()
        until(viewer, lambda: viewer.status is SearchStatus.PAUSED)
        made.resume()
        gate.open()
        assert made.wait()
        until(viewer, lambda: viewer.status is SearchStatus.COMPLETED)
        assert viewer.counts == made.counts
        assert viewer.space.ranges == made.space.ranges
        assert (viewer.snapshot().values == made.snapshot().values).all()
        assert viewer.to_dataframe().equals(made.to_dataframe())


def test_without_its_callable_there_is_a_view_with_the_reason(search):
    made = finished(search(identity, total_max_jobs=2))
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert isinstance(viewer, SearchViewer)
        assert set(viewer.capabilities.values()) == {
            "this is a view of a journal; to continue, open it with base_task_id="
        }
        viewer.command("start")
        assert viewer.errors[-1].sentence.startswith("start did nothing: this is a view")
        assert (viewer.id, viewer.name, viewer.strategy_name) == (made.id, made.name, "RandomSearch")
        assert viewer.elapsed_minutes == pytest.approx(made.elapsed())
    with pytest.raises(TypeError, match="seed.*base_task_id="):
        HyperParameterOptimizer.open(made.journal_path, seed=3)


def test_open_finds_a_search_by_path_folder_or_id(search, tmp_path):
    made = finished(search(identity, total_max_jobs=1))
    path, below = made.journal_path, f"journals/{made.journal_path.name}"
    for arguments in ((path,), (str(path),), (below,), (path.parent, made.id), (made.id,)):
        with HyperParameterOptimizer.open(*arguments) as viewer:
            assert viewer.id == made.id
    with pytest.raises(FileNotFoundError, match=r"nothing\.sqlite"):
        HyperParameterOptimizer.open(tmp_path / "nothing.sqlite")
    with pytest.raises(JournalError, match="nothing"):
        HyperParameterOptimizer.open("nothing")
    for open_ in (HyperParameterOptimizer.open, replay):
        with pytest.raises(TypeError, match=f"by its id or the path of its journal, got .*; give its id, '{made.id}'"):
            open_(made)
        with pytest.raises(TypeError, match="by its id or the path of its journal, got 3$"):
            open_(3)
    with pytest.raises(TypeError, match="names a search of a folder: write speed=10"):
        replay(made.id, 10)


def test_a_continued_search_checks_its_callable_before_it_changes_anything(search):
    made = finished(search(identity, total_max_jobs=1))
    before = made.journal_path.read_bytes()
    with pytest.raises(ValueError, match="has no parameter 'x'"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=lambda y: y)
    with pytest.raises(TypeError, match="Did you mean 'worker_env'"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, worker_en={})
    with pytest.raises(TypeError, match="by its index, from 0"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, worker_env={"GPU": "0"})
    with pytest.raises(TypeError, match="total_max_jobs is kept in the journal.*call set_total_max_jobs"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, total_max_jobs=5)
    for kept in ({"limits": {"x": (0, 1)}}, {"name": "other"}):
        with pytest.raises(TypeError, match=f"{next(iter(kept))} is kept in the journal.*leave it out"):
            HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, **kept)
    assert made.journal_path.read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [
        UniformParameterRange("x", 0, 2),
        UniformParameterRange("x", 0, 1, step_size=0.1),
        DiscreteParameterRange("x", [0, 1]),
        DiscreteParameterRange("c", [1, 2]),
        DiscreteParameterRange("c", [1, 2, 4]),
    ],
)
def test_a_continued_search_takes_no_other_parameters_than_its_own(search, other):
    own = [UniformParameterRange("x", 0, 1), DiscreteParameterRange("c", [1, 2, 3])]

    def train(x, c):
        return x + c

    made = finished(search(train, own, total_max_jobs=1))
    with pytest.raises(ValueError, match="the journal keeps .*call set_ranges after opening"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=train, hyper_parameters=[other])
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=train, hyper_parameters=own)
    assert again.space == made.space


def test_settings_notices_and_limits_are_kept(search):
    made = search(identity, total_max_jobs=2, max_failures=4, stop_grace=0.2, optimization_time_limit=30)
    made.set_max_number_of_concurrent_tasks(1)
    made.start(lambda *_: 1 / 0)
    made.wait()
    made.set_total_max_jobs(3)
    made.set_compute_time_limit(50)
    made.set_time_limit(in_minutes=60)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    assert again._controller.state.settings == made._controller.state.settings
    assert [notice.sentence for notice in again.errors] == [notice.sentence for notice in made.errors]
    assert again.get_time_limit() == made.get_time_limit()
    assert again.stop_reason == made.stop_reason
    assert again.elapsed() == pytest.approx(made.elapsed())
    assert again.budget.compute_minutes.used == pytest.approx(made.budget.compute_minutes.used, abs=1e-3)
    assert again.get_optimizer().seed == made.get_optimizer().seed


def test_a_deadline_is_the_same_moment_where_a_search_is_continued_in_another_zone(search, berlin, monkeypatch):
    made = finished(search(identity, total_max_jobs=1))
    made.set_time_limit(in_minutes=60)
    end = made.get_time_limit().timestamp()
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with HyperParameterOptimizer.open(made.journal_path) as view:
        assert view.get_time_limit().timestamp() == end
    assert HyperParameterOptimizer.open(made.journal_path, base_task_id=identity).get_time_limit().timestamp() == end


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_continued_search_keeps_its_limit_of_memory(search):
    def hungry(x):
        return len(bytearray(400_000_000))

    made = finished(search(hungry, total_max_jobs=1, max_memory_per_job=0.3))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=hungry)
    again.set_total_max_jobs(2)
    again = finished(again)
    for number in (0, 1):
        assert again.trial(number).error == "MemoryError (each process may take 0.3 GB: max_memory_per_job)"


def test_a_search_whose_limits_were_numbers_of_numpy_is_continued(search):
    made = finished(
        search(
            identity,
            optimizer_class=OptimizerBOHB,
            total_max_jobs=np.int64(2),
            min_iteration_per_job=np.int64(1),
            max_iteration_per_job=np.int64(27),
            save_top_k_tasks_only=np.int64(1),
            seed=2,  # of which the third trial is better than the first two
        )
    )
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, save_top_k_tasks_only=np.int64(2))
    again.set_total_max_jobs(3)
    finished(again)
    assert sorted(again.snapshot().archived.tolist()) == [False, False, True]
    with pytest.raises(TypeError, match="save_top_k_tasks_only must be a whole number"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, save_top_k_tasks_only=2.0)


@pytest.mark.parametrize(("first", "then"), [(None, 3), (3, 8), (8, 3)])
def test_a_continued_search_shows_as_many_of_the_best_as_it_is_told_now(search, first, then):
    made = finished(search(identity, total_max_jobs=12, save_top_k_tasks_only=first, seed=1))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, save_top_k_tasks_only=then)
    again.set_total_max_jobs(13)
    rows = finished(again).snapshot()
    best = [trial.number for trial in again.top(then)]
    assert sorted(best) == rows.numbers[~rows.archived].tolist()


def test_a_continued_search_does_not_repeat_points(search):
    def points(made):
        return [made.trial(number).parameters["x"] for number in range(len(made.snapshot()))]

    values = list(range(8))
    made = finished(search(identity, [DiscreteParameterRange("x", values)], total_max_jobs=4))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    again.set_total_max_jobs(None)
    finished(again)
    assert again.stop_reason.code == "space_exhausted"
    assert sorted(points(again)) == values


def test_a_sequence_whose_sampler_has_the_only_seed_goes_on_where_it_was(search):
    def sobol(num_trials):
        sampler = QMCSampler(scramble=True, seed=5)
        return {"optuna_sampler": sampler, "total_max_jobs": num_trials, "max_number_of_concurrent_tasks": 1}

    whole = finished(search(identity, optimizer_class=OptimizerOptuna, **sobol(8)))
    made = finished(search(identity, optimizer_class=OptimizerOptuna, **sobol(4)))
    again = HyperParameterOptimizer.open(
        made.journal_path, base_task_id=identity, optuna_sampler=sobol(0)["optuna_sampler"]
    )
    assert again.get_optimizer().is_seeded is False
    again.set_total_max_jobs(8)
    finished(again)
    assert again.to_dataframe()["x"].tolist() == whole.to_dataframe()["x"].tolist()


@pytest.mark.parametrize("before", [OptimizerOptuna, RandomSearch])
def test_a_pruner_knows_what_trials_had_reported_before_the_search_was_opened_again(search, before):
    def train(x):
        for epoch in range(3):
            report_scalar("objective", "objective", x + epoch, epoch)
        return x

    pruner = ThresholdPruner(upper=1000)
    keywords = {"optuna_pruner": pruner} if before is OptimizerOptuna else {}
    made = finished(search(train, optimizer_class=before, total_max_jobs=6, **keywords))
    again = HyperParameterOptimizer.open(
        made.journal_path, base_task_id=train, optimizer_class=OptimizerOptuna, optuna_pruner=pruner
    )
    again.set_total_max_jobs(7)
    finished(again)
    known = [trial.intermediate_values for trial in again.get_optimizer().study.trials[:6]]
    assert known == [{epoch: x + epoch for epoch in range(3)} for x in made.to_dataframe()["x"]]


@pytest.mark.parametrize(
    ("keywords", "title"),
    [
        ({"optimizer_class": RandomSearch}, "random search"),
        ({"optimizer_class": OptimizerOptuna}, "TPE + GP"),
        ({"optimizer_class": OptimizerOptuna, "optuna_sampler": RandomSampler()}, "Random"),
    ],
)
def test_a_view_has_the_strategys_title_that_the_search_has(search, keywords, title):
    made = search(identity, total_max_jobs=1, **keywords)
    made.start()
    with SearchViewer(made.journal_path) as viewer:
        assert viewer.strategy_title == made.strategy_title == title


def sequence(made):
    """The number of the last write to its journal."""
    with Journal.view(made.journal_path) as reader:
        return reader.sequence


def test_a_search_goes_on_with_another_strategy_from_its_first_point_and_keeps_it(search):
    def train(n):
        return n

    def reopened(**keywords):
        return HyperParameterOptimizer.open(made.journal_path, base_task_id=train, **keywords)

    made = search(train, [UniformIntegerParameterRange("n", 1, 8)], total_max_jobs=4, seed=1, max_failures=7)
    made.set_range("n", (1, 7))
    made.set_range("n", (1, 8))
    finished(made)
    with pytest.raises(TypeError, match="Did you mean 'seed'"):
        reopened(optimizer_class=GridSearch, sed=1)
    assert reopened().strategy_name == "RandomSearch"
    before = sequence(made)
    again = reopened(optimizer_class=GridSearch)
    assert sequence(made) == before + 1  # a kill leaves both the strategy and its epoch there, or neither
    assert again.strategy_name == "GridSearch"
    again.set_total_max_jobs(6)
    finished(again)
    with SearchViewer(made.journal_path) as viewer:
        assert viewer.strategy_title == again.strategy_title == "grid search"
    last = reopened()
    assert last.strategy_name == "GridSearch"
    assert "optimizer_class=GridSearch" in last.as_code()
    last.set_total_max_jobs(None)
    finished(last)
    assert sorted(trial.parameters["n"] for trial in map(last.trial, range(8))) == list(range(1, 9))
    assert [mark.step for mark in last.epochs] == ["set", "set", "set", "strategy"]
    # What is undone is the last change of a range, not that of the strategy.
    last.undo()
    assert last.space.ranges["n"] == (1, 7)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.strategy_name == "GridSearch"


def test_choices_that_json_cannot_hold_need_the_live_parameters(search):
    class Model:
        def __init__(self, name):
            self.name = name

        def __repr__(self):
            return f"Model({self.name})"

        def __eq__(self, other):
            return type(other).__name__ == "Model" and other.name == self.name

        __hash__ = None

    parameters = [DiscreteParameterRange("x", [Model("a"), Model("b"), 3])]

    def train(x):
        return float(len(repr(x)))

    made = finished(search(train, parameters, total_max_jobs=2, seed=1))
    with pytest.raises(
        JournalError, match="choices of x are objects that a journal cannot hold; pass hyper_parameters="
    ):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=train)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=train, hyper_parameters=parameters)
    again.set_total_max_jobs(None)
    finished(again)
    assert len(again.snapshot()) == 3
    with HyperParameterOptimizer.open(made.journal_path) as viewer:  # a view shows their labels
        assert viewer.counts[TrialState.COMPLETED] == 3
        assert viewer.best_trial.value in {1.0, 8.0}

    with pytest.raises(TypeError, match="a choice of 'x' cannot be sent to a worker process"):
        again.add_choices("x", [threading.Lock()])
    again.add_choices("x", [Model("c")])
    finished(again)
    assert again.trial(3).parameters["x"] == Model("c")
    assert "as when the search was made, for x, with the choices that were added at the end" in again.opening_code()
    with pytest.raises(JournalError, match="with choices that were added at the end"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=train, hyper_parameters=parameters)
    more = [DiscreteParameterRange("x", [*parameters[0].declared, "c"])]
    with pytest.raises(ValueError, match="the choices given for 'x' are not the stored ones"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=train, hyper_parameters=more)
    more = [DiscreteParameterRange("x", [*parameters[0].declared, Model("c")])]
    last = HyperParameterOptimizer.open(made.journal_path, base_task_id=train, hyper_parameters=more)
    assert last.space.ranges["x"] == more[0].range
    assert last.trial(3).parameters["x"] == Model("c")


def test_the_parameters_of_the_first_call_open_a_search_whose_choices_have_grown(search):
    parameters = [DiscreteParameterRange("x", [1, 2])]
    made = finished(search(identity, parameters))
    made.add_choices("x", [3])
    for given in (parameters, [DiscreteParameterRange("x", [1, 2, 3])]):
        again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, hyper_parameters=given)
        assert again.space.ranges["x"] == (1, 2, 3)
    more = [DiscreteParameterRange("x", [1, 2, 4])]
    with pytest.raises(ValueError, match="the journal keeps"):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, hyper_parameters=more)


class Halving(SearchStrategy):
    def begin(self, space, objectives, epoch, history, draws):
        super().begin(space, objectives, epoch, history, draws)
        self.drawn = draws

    def ask(self):
        self.drawn += 1
        return Proposal({"x": 0.5**self.drawn}, self.drawn - 1)


def test_a_strategy_of_ones_own_has_to_be_given_again(search):
    made = finished(search(identity, optimizer_class=Halving, total_max_jobs=3, max_number_of_concurrent_tasks=1))
    with pytest.raises(TypeError, match="Halving; pass it as optimizer_class="):
        HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, optimizer_class=Halving)
    again.set_total_max_jobs(5)
    finished(again)
    assert [again.trial(number).parameters["x"] for number in range(5)] == [0.5, 0.25, 0.125, 0.0625, 0.03125]


def test_a_journal_that_was_continued_elsewhere_is_not_written_over(search):
    made = finished(search(identity, total_max_jobs=2, seed=1))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    made.set_total_max_jobs(3)  # nobody has continued it yet
    assert made.start()
    assert made.wait()
    with pytest.raises(JournalError, match="was continued elsewhere"):
        again.set_total_max_jobs(9)
    third = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity)
    third.set_total_max_jobs(4)
    finished(third)
    assert third.counts[TrialState.COMPLETED] == 4
    with pytest.raises(JournalError, match="was continued elsewhere"):
        made.set_total_max_jobs(9)


# Nothing is left --------------------------------------------------------------------------------------------------


def left_by(run):
    """The threads, the number of files and the processes that a second run leaves; the first opens things once."""
    before = set(threading.enumerate())
    run()
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("hpo_widgets"):
            thread.join(DEADLINE)
    before, num_open, processes = set(threading.enumerate()), num_files(), children()
    run()
    deadline = time.monotonic() + DEADLINE
    while True:
        left = set(threading.enumerate()) - before, max(0, num_files() - num_open), children() - processes
        if not any(left) or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def num_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def children():
    return set(psutil.Process().children(recursive=True))


def test_iterations_that_were_used_are_counted_when_a_search_is_opened_again_and_in_a_view(search):
    def train(x, trial):
        for epoch in range(1, 11):
            trial.report_scalar("validation", "loss", x, iteration=epoch)
        trial.report_scalar("time", "seconds", 1.0, iteration=3)
        return x

    made = finished(search(train, total_max_jobs=2, max_iteration_per_job=100))
    assert (made.budget.iterations.used, made.budget.iterations.limit) == (20, 200)
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert viewer.budget.iterations == made.budget.iterations
        assert viewer.budget.compute_minutes.used == pytest.approx(made.budget.compute_minutes.used, abs=1e-4)
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=train)
    assert again.budget.iterations == made.budget.iterations
    again.set_total_max_jobs(3)
    finished(again)
    assert again.budget.iterations.used == 30


NOT_FOR_A_VIEW = {
    "close_files", "get_optimizer", "log_so_far", "next_poll", "optimizer_task_id", "optimizer_task_page",
    "prepare_workers", "release_workers",
}  # fmt: skip
"""Members that need what runs the search."""


def test_a_view_has_the_reading_members_of_the_search(search):
    made = finished(search(identity, total_max_jobs=3))
    public = {name for name in dir(made) if not name.startswith("_")} - NOT_FOR_A_VIEW
    made_anew = {"open", "from_optuna"}  # these make a search
    with HyperParameterOptimizer.open(made.journal_path) as viewer:
        assert {name for name in public if not hasattr(viewer, name)} == made_anew | {"get_optimizer_top_experiments"}
        assert viewer.wait() is True
        assert asyncio.run(viewer.wait_async()) is True
        for name in ("is_running", "is_active", "elapsed", "get_time_limit", "reached_time_limit"):
            assert getattr(viewer, name)() == getattr(made, name)(), name
        for name in ("get_active_experiments", "get_num_active_experiments"):
            assert getattr(viewer, name)() == getattr(made, name)(), name
        assert viewer.journal_path == made.journal_path
        assert viewer.get_top_experiments(2) == made.get_top_experiments(2)
        for options in ({}, {"all_metrics": True, "all_hyper_parameters": True}, {"only_completed": True}):
            assert viewer.get_top_experiments_details(2, **options) == made.get_top_experiments_details(2, **options)
        assert viewer.best_trial == made.best_trial
        assert viewer.to_dataframe().equals(made.to_dataframe())
        assert viewer.to_optuna().best_value == made.to_optuna().best_value


def test_a_view_waits_for_the_end_of_a_search_that_another_owner_runs(search, held, gate, until):
    gate.shut()
    made = search(held, total_max_jobs=1)
    made.start()
    until(made, lambda: made.counts[TrialState.RUNNING] == 1)
    with SearchViewer(made.journal_path) as viewer:
        assert viewer.is_active()
        assert viewer.get_num_active_experiments() == 1
        assert viewer.wait(timeout=0) is False
        assert asyncio.run(viewer.wait_async(timeout=0)) is False
        assert viewer.get_time_limit() is None
        gate.open()
        assert viewer.wait(timeout=DEADLINE / 60) is True
        assert viewer.best_trial.number == 0


@pytest.mark.parametrize("strategy", ["RandomSearch", "OptimizerOptuna"])
def test_a_search_leaves_no_thread_process_or_file_open(search, strategy):
    from hpo_widgets.strategies.registry import named

    def run():
        made = search(identity, optimizer_class=named(strategy), total_max_jobs=4)
        made.start(lambda *_: made.top(1))
        made.wait()
        made.close_files()

    assert left_by(run) == (set(), 0, set())


def test_a_stopped_search_leaves_no_thread_process_or_file_open(two_running):
    def run():
        made = two_running(optimizer_class=RandomSearch)
        made.stop()
        made.close_files()

    assert left_by(run) == (set(), 0, set())


def test_a_closed_view_leaves_no_thread_or_file_open(search, until):
    made = finished(search(identity, total_max_jobs=2))

    def run():
        viewer = HyperParameterOptimizer.open(made.journal_path)
        until(viewer, lambda: viewer.counts[TrialState.COMPLETED] == 2)
        viewer.trial(0)
        viewer.close()
        viewer.close()

    assert left_by(run) == (set(), 0, set())


# A constraint --------------------------------------------------------------------------------------------------------


def is_even(x):
    return x % 2 == 0


def is_odd(x):
    return x % 2 == 1


@pytest.fixture
def constrained(search):
    made = search(identity, [UniformIntegerParameterRange("x", 0, 10**6)], constraint=is_even, total_max_jobs=3, seed=1)
    return finished(made)


def test_a_search_with_a_constraint_asks_for_it_when_it_is_continued(constrained):
    with pytest.raises(TypeError, match="pass constraint= as when the search was made, or constraint=None"):
        HyperParameterOptimizer.open(constrained.journal_path, base_task_id=identity)
    assert HyperParameterOptimizer.open(constrained.journal_path).counts[TrialState.COMPLETED] == 3
    assert "constraint=is_even" in constrained.opening_code()


@pytest.mark.parametrize(
    ("given", "remainders"), [(is_even, {0}), (is_odd, {1}), (None, {0, 1})], ids=["same", "other", "none"]
)
def test_a_search_goes_on_with_the_constraint_that_is_given_then(constrained, given, remainders):
    again = HyperParameterOptimizer.open(constrained.journal_path, base_task_id=identity, constraint=given)
    again.set_total_max_jobs(23)
    finished(again)
    assert {again.trial(number).parameters["x"] % 2 for number in range(3, 23)} == remainders
    if given is None:
        HyperParameterOptimizer.open(constrained.journal_path, base_task_id=identity)
    else:
        with pytest.raises(TypeError, match="the search has a constraint"):
            HyperParameterOptimizer.open(constrained.journal_path, base_task_id=identity)


def test_failed_points_that_the_constraint_of_the_reopened_search_refuses_are_not_run_again(search):
    def fails(x):
        raise ValueError("no")

    made = finished(search(fails, [UniformIntegerParameterRange("x", 1, 4)], optimizer_class=GridSearch))
    again = HyperParameterOptimizer.open(made.journal_path, base_task_id=identity, constraint=is_even)
    with pytest.raises(ValueError, match=r"constraint is_even\(x\) of this search does not allow this point"):
        again.retry(next(n for n in range(4) if again.trial(n).parameters["x"] == 1))
    assert sorted(again.trial(number).parameters["x"] for number in again.failed_points()) == [2, 4]
    assert again.retry_failed() == 2
    assert again.failed_points() == []
    [notice] = [one.sentence for one in again.errors if "retry_failed" in one.sentence]
    assert notice.startswith("retry_failed: 2 failed points are not run again; of trial ")
    assert notice.endswith("the constraint is_even(x) of this search does not allow this point")
    finished(again)
    assert sorted(one.parameters["x"] for one in again.get_top_experiments(9)) == [2, 4]


def test_a_view_knows_what_the_constraint_allows_once_it_has_taken_the_search_over(search):
    def fails(x):
        raise ValueError("no")

    space = [UniformIntegerParameterRange("x", 1, 4)]
    path = finished(search(fails, space, optimizer_class=GridSearch, constraint=lambda x: x < 4)).journal_path
    with SearchViewer(
        path, reopen=lambda: HyperParameterOptimizer.open(path, base_task_id=fails, constraint=is_odd)
    ) as viewer:
        assert len(viewer.failed_points()) == 3
        with pytest.raises(RuntimeError, match="a journal does not hold the constraint"):
            viewer.allows({"x": 3})
        viewer.start()
        assert viewer.wait(DEADLINE)
        assert (viewer.allows({"x": 3}), viewer.allows({"x": 2})) == (True, False)
        assert [viewer.trial(number).parameters["x"] for number in viewer.failed_points()] == [1, 3]


def test_another_strategy_keeps_to_the_constraint_that_is_given(constrained):
    again = HyperParameterOptimizer.open(
        constrained.journal_path, base_task_id=identity, optimizer_class=OptimizerOptuna, constraint=is_odd
    )
    again.set_total_max_jobs(13)
    finished(again)
    assert all(again.trial(number).parameters["x"] % 2 == 1 for number in range(3, 13))


def test_a_constraint_that_fits_no_parameter_is_refused_before_the_search_is_continued(constrained):
    with pytest.raises(ValueError, match="the space has no parameter 'y'"):
        HyperParameterOptimizer.open(constrained.journal_path, base_task_id=identity, constraint=lambda y: True)
