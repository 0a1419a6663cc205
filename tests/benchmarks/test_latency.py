"""How soon stop stops, another process sees a trial, a long journal opens, the best are known."""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing as mp
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import psutil
import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.objectives import make_objectives
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from hpo_widgets.widget import OptimizerWidget
from tests.benchmarks.peers import ended_trials, make_optuna_journal, open_optuna_journal, optuna_stop, study_of
from tests.benchmarks.rows import TURNS, Samples
from tests.benchmarks.searches import search
from tests.journal.conftest import locked


def sleeps(a: float, **_others: float) -> float:
    """Waits in the kernel."""
    time.sleep(60)
    return a


def computes(a: float, **_others: float) -> float:
    """Never leaves Python."""
    while True:
        a += 1


def holds_the_interpreter(a: float, **_others: float) -> float:
    """Stays in one long call that no signal interrupts."""
    return float(len(str(10 ** int(3e6 + a))))


def ignores_signals(a: float, **_others: float) -> float:
    """Refuses to end."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)
    return a


def has_children(a: float, **_others: float) -> float:
    """Waits for a process of its own."""
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], check=False)
    return a


@pytest.mark.parametrize(
    ("function", "is_locked"),
    [
        (sleeps, False),
        (computes, False),
        (holds_the_interpreter, False),
        (ignores_signals, False),
        (has_children, False),
        (sleeps, True),
    ],
)
def test_stop(function: Any, is_locked: bool, tmp_path: Path, record: Any) -> None:
    """From the call of stop until it returns with every process of the search gone."""
    stops = [_stop(function, is_locked, tmp_path / str(turn)) for turn in range(TURNS)]
    seconds = Samples([seconds for seconds, _ in stops], "s", f"{sum(left for _, left in stops)} processes left")
    what = f"stop → all workers gone, trial {function.__name__.replace('_', ' ')}"
    peers: dict[str, Samples] = {}
    if function is sleeps and not is_locked:
        peers["Optuna in memory, n_jobs=2, trials of 2 s"] = Samples([optuna_stop(2.0) for _ in range(TURNS)], "s")
    record(
        f"{what}, journal locked by another program" if is_locked else what,
        seconds,
        bar="≤ 250 ms each time, 0 left",
        peers=peers or "–",
        reached=max(seconds.values) <= 0.25 and not any(left for _, left in stops),
    )


def _stop(function: Any, is_locked: bool, folder: Path) -> tuple[float, int]:
    """Seconds of a stop, and the processes that it leaves."""
    others = _children()
    optimizer = search(function, folder, None)
    both = threading.Event()
    optimizer.subscribe(lambda: both.set() if optimizer.get_num_active_experiments() == 2 else None)
    optimizer.start()
    assert both.wait(30)
    time.sleep(0.5)  # they are in the middle of what they do
    with contextlib.ExitStack() as held:
        if is_locked:
            before = _children()
            held.enter_context(locked(optimizer.journal_path))
            others |= _children() - before
        began = time.perf_counter()
        optimizer.stop()
        seconds = time.perf_counter() - began
        left = _children() - others
    assert optimizer.wait(1)
    return seconds, len(left)


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def tells_its_end(a: float, **_others: float) -> float:
    """Says as its result when it ended: the last thing that it does."""
    time.sleep(0.05)
    return time.time()


def _go_on(path: Path, jobs: int) -> None:
    optimizer = HyperParameterOptimizer.open(path, base_task_id=tells_its_end)
    optimizer.set_total_max_jobs(jobs)
    optimizer.start()
    optimizer.wait()


@pytest.mark.parametrize("trials", [10_000, 100_000])
def test_follow(trials: int, tmp_path: Path, journal_of: Any, record: Any) -> None:
    """From the last act of a trial in a worker of one process until another process has it in its columns."""
    path = tmp_path / journal_of(trials).name
    shutil.copy(journal_of(trials), path)
    count = 100
    with SearchViewer(path) as viewer:
        delays: dict[int, float] = {}
        flag = threading.Event()
        viewer.subscribe(flag.set)
        version = viewer.snapshot().version
        process = mp.get_context("spawn").Process(target=_go_on, args=(path, trials + count))
        process.start()
        while len(delays) < count:
            assert flag.wait(30)
            flag.clear()
            changes = viewer.changes_since(version)
            version = changes.version
            now = time.time()
            ended = changes.where((changes.numbers >= trials) & (changes.state == TrialState.COMPLETED))
            for number, end in zip(ended.numbers.tolist(), ended.values[:, 0].tolist(), strict=True):
                delays.setdefault(number, now - end)
        process.join()
    measured = Samples(list(delays.values()), "s")
    worst = measured.quantile(0.95)
    record(
        f"trial end → another process's view, {trials:,} trials",
        dataclasses.replace(measured, note=f"95 %: {worst * 1e3:.0f} ms"),
        bar="≤ 20 ms (95 %)",
        peers={"Optuna journal, one look": _optuna_looks(tmp_path / "optuna.log")} if trials == 10_000 else "–",
        reached=worst <= 0.02,
    )


def _optuna_looks(path: Path) -> Samples:
    """From the end of a trial until another process that looks has it: the time of the look, which nothing tells to."""
    make_optuna_journal(path, 10_000)
    reader, writer = open_optuna_journal(path), open_optuna_journal(path)
    reader.get_trials()
    looks = []
    for number in range(TURNS):
        writer.add_trials(ended_trials(1))
        began = time.perf_counter()
        assert len(reader.get_trials()) == 10_001 + number
        looks.append(time.perf_counter() - began)
    return Samples(looks, "s")


def test_reopen(tmp_path: Path, journal_of: Any, record: Any) -> None:
    """A journal of 100,000 trials: all columns, as whoever opens it has them, and a panel that shows it first."""
    path = journal_of(100_000)
    OptimizerWidget(ScriptedSearch()).close()  # imports what panels need
    firsts, wholes = [], []
    for _ in range(TURNS):
        began = time.perf_counter()
        with HyperParameterOptimizer.open(path) as viewer:
            assert len(viewer.snapshot()) == sum(viewer.counts.values()) == 100_000
            wholes.append(time.perf_counter() - began)
            panel = OptimizerWidget(viewer)
            panel._refresher.refresh()
            firsts.append(time.perf_counter() - began)
            panel.close()
    first, whole = Samples(firsts, "s"), Samples(wholes, "s")
    record(
        "reopen 100,000 trials: first view, opened and drawn in a panel",
        first,
        bar="≤ 50 ms",
        reached=first.median <= 0.05,
        why="All trials are read and ranked before any is shown, so that counts, the best trial and plots are right.",
    )
    make_optuna_journal(tmp_path / "optuna.log", 10_000)
    opened = []
    for _ in range(TURNS):
        began = time.perf_counter()
        assert len(open_optuna_journal(tmp_path / "optuna.log").get_trials()) == 10_000
        opened.append(time.perf_counter() - began)
    record(
        "reopen 100,000 trials: all columns",
        whole,
        bar="≤ 0.5 s",
        peers={"Optuna journal, 10,000 trials": Samples(opened, "s")},
        reached=whole.median <= 0.5,
        why="The processor: 0.46 s where the pool above made 3,805 trials a second (2026-11-30).",
    )


def test_top_ten(record: Any) -> None:
    """The ten best of 100,000, kept incrementally."""
    ranking = Ranking(make_objectives("a", "b", "min"))
    values = np.random.default_rng(0).random(100_000).tolist()
    began = time.perf_counter()
    for number, value in enumerate(values):
        ranking.put(number, (value,))
    put = (time.perf_counter() - began) / len(values)
    spans = []
    for number in range(100):
        ranking.put(number, (values[-number],))
        began = time.perf_counter()
        top = ranking.top(10)
        spans.append(time.perf_counter() - began)
    assert len(top) == 10
    study = study_of(10_000, optuna.samplers.RandomSampler())
    sorted_spans = []
    for _ in range(TURNS):
        began = time.perf_counter()
        assert len(sorted(study.get_trials(deepcopy=False), key=lambda trial: trial.value)[:10]) == 10
        sorted_spans.append(time.perf_counter() - began)
    measured = Samples(spans, "s", f"{put * 1e6:.1f} µs to rank a trial")
    record(
        "top 10 of 100,000",
        measured,
        bar="≤ 1 ms",
        peers={"Optuna's trials of 10,000, sorted": Samples(sorted_spans, "s")},
        reached=measured.median <= 1e-3,
    )
