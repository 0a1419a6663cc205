"""How soon stop stops, another process sees a trial, a long journal opens, the best are known."""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from hpo_widgets.journal import Journal, TrialRow
from hpo_widgets.objectives import make_objectives
from hpo_widgets.objectives.ranking import Ranking
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from tests.benchmarks.searches import make_journal, search


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


_HOLD_LOCKED = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); "
    "print(flush=True); sys.stdin.read()"
)


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
    import threading

    others = set(psutil.Process().children(recursive=True))
    optimizer = search(function, tmp_path, None)
    both = threading.Event()
    optimizer.subscribe(lambda: both.set() if optimizer.get_num_active_experiments() == 2 else None)
    optimizer.start()
    assert both.wait(30)
    time.sleep(1.0)  # they are in the middle of what they do
    with contextlib.ExitStack() as held:
        if is_locked:
            command = [sys.executable, "-c", _HOLD_LOCKED, str(optimizer.journal_path)]
            holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            held.callback(holder.communicate)
            assert holder.stdout is not None
            holder.stdout.readline()
            others.add(psutil.Process(holder.pid))
        began = time.perf_counter()
        optimizer.stop()
        seconds = time.perf_counter() - began
        left = set(psutil.Process().children(recursive=True)) - others
    assert optimizer.wait(1)
    record(
        f"stop → all workers gone, trial {function.__name__}{', journal locked' if is_locked else ''}",
        f"{seconds * 1e3:.0f} ms, {len(left)} processes left",
        bar="≤ 250 ms, 0 left",
        peers="Optuna waits for the trial",
        reached=seconds <= 0.25 and not left,
    )


def _write_slowly(path: Path, first: int, count: int, sent: Any) -> None:
    with Journal.open(path) as journal:
        for number in range(first, first + count):
            time.sleep(0.02)
            row = TrialRow(number, int(TrialState.COMPLETED), 0, [0.1] * 5, [1.0], [0], 1.0, 2.0, 0, draw=number)
            committed = time.time()
            journal.write([row], [], [], [])
            sent.send((number, committed))


@pytest.mark.parametrize("trials", [10_000, 100_000])
def test_follow(trials: int, tmp_path: Path, record: Any) -> None:
    """From the write of a trial in one process until another has it in its columns."""
    import threading

    path = make_journal(tmp_path, trials)
    count = 100
    with SearchViewer(path) as viewer:
        seen: dict[int, float] = {}
        flag = threading.Event()
        viewer.subscribe(flag.set)
        receive, send = mp.Pipe(duplex=False)
        process = mp.get_context("spawn").Process(target=_write_slowly, args=(path, trials, count, send))
        process.start()
        version = viewer.snapshot().version
        while len(seen) < count:
            assert flag.wait(30)
            flag.clear()
            changes = viewer.changes_since(version)
            version = changes.version
            now = time.time()
            for number in changes.numbers.tolist():
                if number >= trials:
                    seen.setdefault(number, now)
        process.join()
        delays = []
        while receive.poll():
            number, committed = receive.recv()
            delays.append(seen[number] - committed)
    worst = float(np.quantile(delays, 0.95))
    record(
        f"trial end → another process's view, {trials:,} trials",
        f"median {statistics.median(delays) * 1e3:.0f} ms, 95 % {worst * 1e3:.0f} ms",
        bar="≤ 50 ms",
        peers="Optuna 820–890 ms at 10,000",
        reached=worst <= 0.05,
    )


def test_reopen(tmp_path: Path, record: Any) -> None:
    """A journal of 100,000 trials: the first view, and all columns."""
    path = make_journal(tmp_path, 100_000)
    began = time.perf_counter()
    with SearchViewer(path, whole=False) as viewer:
        assert sum(viewer.counts.values()) == 100_000
        assert len(viewer.snapshot()) > 0
        first = time.perf_counter() - began
        viewer.refresh()
        whole = time.perf_counter() - began
        assert len(viewer.snapshot()) == 100_000
    record(
        "reopen 100,000 trials",
        f"first view {first * 1e3:.0f} ms, all columns {whole * 1e3:.0f} ms",
        bar="≤ 100 ms, ≤ 1 s",
        peers="Optuna sqlite 21.6 s",
        reached=first <= 0.1 and whole <= 1.0,
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
    record(
        "top 10 of 100,000",
        f"{statistics.median(spans) * 1e3:.3f} ms; {put * 1e6:.1f} µs to rank a trial",
        bar="≤ 1 ms",
        peers="37 ms at 50,000",
        reached=statistics.median(spans) <= 1e-3,
    )
