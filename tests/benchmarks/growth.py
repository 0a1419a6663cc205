"""What grows with trials, workers, parameters, reports and Tasks, and how: each figure in a process of its own.

``python -m tests.benchmarks.growth`` prints all tables, ``python -m tests.benchmarks.growth workers`` one of them.
"""

from __future__ import annotations

import gc
import heapq
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from hpo_widgets import HyperParameterOptimizer, OptimizerWidget, RandomSearch, UniformParameterRange, report_scalar
from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchViewer
from hpo_widgets.widget import save_html
from tests.benchmarks.rows import TURNS
from tests.benchmarks.searches import NoWorkers, add, make_journal, space

Figures = dict[str, float]

MORE = 2_000
"""So many trials are added to those that there are, to see what one more costs: many, as a start reads all once."""


class Sleepers(NoWorkers):
    """An engine whose trials sleep: thousands of them in this process, as none computes anything."""

    seconds = 1.0
    """How long a trial sleeps, half of it or half as long again."""

    def __init__(self, template: object, **options: Any) -> None:
        super().__init__(template, **options)
        self._ends: list[tuple[float, int]] = []
        self._sleeping: dict[int, float] = {}
        self._random = random.Random(0)
        self._freed: deque[float] = deque()
        self.waits: list[float] = []
        """For each launch but the first ones, how long a worker had been free."""
        Sleepers.newest = self

    newest: Sleepers

    def free(self) -> int:
        return self.num_workers - len(self._sleeping)

    def launch(self, number: int, point: Mapping[str, Any]) -> int:
        now, seconds = time.monotonic(), self.seconds * self._random.uniform(0.5, 1.5)
        if self._freed:
            self.waits.append(now - self._freed.popleft())
        self._sleeping[number] = seconds
        heapq.heappush(self._ends, (now + seconds, number))
        return number % self.num_workers

    def ask_stop(self, number: int, state: TrialState = TrialState.ABORTED) -> None:
        self._sleeping.pop(number, None)

    def abort(self, number: int, grace: float = 0.1, state: TrialState = TrialState.ABORTED) -> None:
        self._sleeping.pop(number, None)

    def wait(self, timeout: float | None = None) -> list[JobEvent]:
        now = time.monotonic()
        until_next = self._ends[0][0] - now if self._ends else 1.0
        self.woken.wait(max(0.0, min(until_next, 1.0 if timeout is None else timeout)))
        self.woken.clear()
        now, events = time.monotonic(), []
        while self._ends and self._ends[0][0] <= now:
            due, number = heapq.heappop(self._ends)
            seconds = self._sleeping.pop(number, None)
            if seconds is not None:
                self._freed.append(due)
                events.append(JobEvent("ended", number, Outcome(TrialState.COMPLETED, result=0.5, duration=seconds)))
        return events


class NoTime(Sleepers):
    """Trials that end at once."""

    seconds = 0.0


def megabytes() -> float:
    """Memory of this process now."""
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


def timed(act: Callable[[], object]) -> float:
    """Seconds that something takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def cpu_of(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds of all threads' computing that something takes, and of the clock."""
    began, used = time.perf_counter(), time.process_time()
    act()
    return time.process_time() - used, time.perf_counter() - began


def warm() -> None:
    """Have everything imported that a panel needs."""
    panel = OptimizerWidget(ScriptedSearch())
    panel._refresher.refresh()
    panel.close()


def run(optimizer: HyperParameterOptimizer) -> None:
    """Run a search to its end."""
    optimizer.start()
    assert optimizer.wait(20), optimizer
    assert not optimizer.errors, optimizer.errors


def of_trials(count: int, folder: Path) -> Figures:
    """A search of so many trials is shown, and goes on."""
    warm()
    # In a process of its own: what this one has freed again it would use, and not count.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        path = pool.submit(make_journal, folder, count).result()
    size = path.stat().st_size
    before = megabytes()
    found = {"journal, bytes a trial": size / count}
    opened: list[Any] = []
    found["open a view, ms"] = 1e3 * timed(lambda: opened.append(SearchViewer(path)))
    found["a view, MB"] = megabytes() - before
    opened.pop().close()
    found["open to go on, ms"] = 1e3 * timed(
        lambda: opened.append(HyperParameterOptimizer.open(path, base_task_id=add))
    )
    optimizer = opened.pop()
    optimizer.set_default_job_class(NoTime)
    panels: list[OptimizerWidget] = []

    def show() -> None:
        panels.append(OptimizerWidget(optimizer))
        panels[0]._refresher.refresh()

    found["panel, ms"] = 1e3 * timed(show)
    found["search and panel, MB"] = megabytes() - before
    optimizer.set_total_max_jobs(count + MORE)
    computing, _ = cpu_of(lambda: run(optimizer))
    found["one more, CPU ms"] = 1e3 * computing / MORE
    panels[0].close()
    return found


def of_pages(count: int, folder: Path) -> Figures:
    """A page of so many trials."""
    return of_page(make_journal(folder, count), folder)


def of_pages_of_parameters(count: int, folder: Path) -> Figures:
    """A page of 1,000 trials of so many parameters."""
    return of_page(make_journal(folder, 1_000, num_parameters=count), folder)


def of_pages_of_workers(count: int, folder: Path) -> Figures:
    """A page of 2,048 trials that have ended, and of one more, which has reported, for each of so many workers."""
    return of_page(make_journal(folder, 2_048, num_running=count), folder)


def of_pages_of_reports(count: int, folder: Path) -> Figures:
    """A page of trials that have reported so often each."""
    optimizer = reporting(count, folder)
    run(optimizer)
    return of_page(optimizer.journal_path, folder)


def of_page(journal: Path, folder: Path) -> Figures:
    """A page that shows a panel of a search, after all of its tabs were looked at."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import CHROMIUM_ARGUMENTS, chromium
    from tests.browser.notebook import PAINTED

    panel = OptimizerWidget(SearchViewer(journal))
    panel._refresher.refresh(everything=True)
    saved = save_html(panel, folder / "page.html")
    panel.close()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        began = time.perf_counter()
        page.goto(saved.path.as_uri())
        page.wait_for_selector("html[data-shown]", timeout=120_000)
        found = {"page, MB": saved.path.stat().st_size / 2**20, "shown, ms": 1e3 * (time.perf_counter() - began)}
        for tab in page.get_by_role("tab").all():
            tab.click()
            page.evaluate(PAINTED)
        session = page.context.new_cdp_session(page)
        session.send("HeapProfiler.collectGarbage")
        session.send("Performance.enable")
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        processes = psutil.Process().children(recursive=True)
        renderers = [one for one in processes if "--type=renderer" in " ".join(one.cmdline())]
        found["heap, MB"] = metrics["JSHeapUsedSize"] / 2**20
        found["nodes"] = metrics["Nodes"]
        found["process, MB"] = max(one.memory_info().rss for one in renderers) / 2**20
        browser.close()
    return found


def of_workers(count: int, folder: Path) -> Figures:
    """So many sleepers at once, four turns of a second."""
    jobs = max(50, 4 * count)
    before = megabytes()
    optimizer = HyperParameterOptimizer(
        add, space(), optimizer_class=RandomSearch, max_number_of_concurrent_tasks=count, total_max_jobs=jobs,
        journal=folder, seed=1,
    )  # fmt: skip
    optimizer.set_default_job_class(Sleepers)
    computing, seconds = cpu_of(lambda: run(optimizer))
    return {
        "trials": jobs,
        "a trial, CPU ms": 1e3 * computing / jobs,
        "cores used": computing / seconds,
        "a free worker waits, ms": 1e3 * float(np.mean(Sleepers.newest.waits)),
        "memory, MB": megabytes() - before,
    }


def of_parameters(count: int, folder: Path) -> Figures:
    """2,000 trials of so many parameters, that end at once."""
    jobs, names = 2000, [f"p{number}" for number in range(count)]
    scope: dict[str, Any] = {}
    warm()
    exec(f"def objective({', '.join(names)}): return p0", scope)
    before = megabytes()
    optimizer = HyperParameterOptimizer(
        scope["objective"], [UniformParameterRange(name, 0, 1) for name in names], optimizer_class=RandomSearch,
        max_number_of_concurrent_tasks=2, total_max_jobs=jobs, journal=folder, seed=1,
    )  # fmt: skip
    optimizer.set_default_job_class(NoTime)

    def show() -> None:
        OptimizerWidget(optimizer)._refresher.refresh()

    computing, _ = cpu_of(lambda: run(optimizer))
    found = {"a trial, CPU ms": 1e3 * computing / jobs}
    found["panel, ms"] = 1e3 * timed(show)
    found["memory, MB"] = megabytes() - before
    found["journal, bytes a trial"] = optimizer.journal_path.stat().st_size / jobs
    return found


def report(number_of_reports: int) -> Callable[[float], float]:
    """An objective that reports so often."""

    def objective(a: float) -> float:
        for iteration in range(number_of_reports):
            report_scalar("loss", "train", a, iteration)
        return a

    return objective


def reporting(count: int, folder: Path) -> HyperParameterOptimizer:
    """A search whose trials report so often each, 10,000 times in all and ten trials at least."""
    return HyperParameterOptimizer(
        report(count), [UniformParameterRange("a", 0, 1)], optimizer_class=RandomSearch,
        max_number_of_concurrent_tasks=2, total_max_jobs=max(10, 10_000 // count), journal=folder, seed=1,
    )  # fmt: skip


def of_reports(count: int, folder: Path) -> Figures:
    """Trials in worker processes that report so often each."""
    before = megabytes()
    optimizer = reporting(count, folder)
    computing, _ = cpu_of(lambda: run(optimizer))
    jobs = sum(optimizer.counts.values())
    return {
        "trials": jobs,
        "a report, CPU µs": 1e6 * computing / jobs / count,
        "journal, bytes a report": optimizer.journal_path.stat().st_size / jobs / count,
        "memory, MB": megabytes() - before,
        "its curve, ms": 1e3 * timed(lambda: optimizer.trial(0).get_reported_scalars()),
    }


class Agents:
    """All agents of a ClearML server, which move its Tasks through their states in its own thread."""

    def __init__(self, server: Any, queue: str) -> None:
        self._server, self._store, self._queue = server, server._store, queue
        self._running: list[Any] = []

    def take_all(self) -> int:
        """Begin all Tasks that wait."""
        return self._in_thread(self._take)

    def report(self) -> None:
        """Report the objective of all running Tasks."""
        self._in_thread(self._report)

    def complete(self) -> None:
        """End all running Tasks."""
        self._in_thread(self._complete)

    def _in_thread(self, act: Callable[[], Any]) -> Any:
        done, answers = threading.Event(), []

        def work() -> None:
            answers.append(act())
            done.set()

        self._server._loop.call_soon_threadsafe(work)
        assert done.wait(60)
        return answers[0]

    def _take(self) -> int:
        from hpo_widgets.testing.clearml_server._api.tasks import IN_PROGRESS, change

        now, taken = self._store.now(), 0
        while (entry := self._store.queues.hand_out(self._queue, now)) is not None:
            task = self._store.task(entry["task"])
            change(self._store, task, IN_PROGRESS, started=now)
            self._running.append(task)
            taken += 1
        return taken

    def _report(self) -> None:
        from hpo_widgets.testing.clearml_server._api.endpoints.events import summarise

        for place, task in enumerate(self._running):
            event = {"metric": "validation", "variant": "loss", "value": place / len(self._running), "iter": 1}
            summarise(task, [event])
            self._store.note_activity(task)

    def _complete(self) -> None:
        from hpo_widgets.testing.clearml_server._api.tasks import COMPLETED, change

        for task in self._running:
            change(self._store, task, COMPLETED, completed=self._store.now())
        self._running.clear()


def of_tasks(count: int, folder: Path) -> Figures:
    """So many Tasks on so many agents of an in-memory server, all active at once: launched, looked at, ended."""
    from hpo_widgets.testing.clearml_server import ClearmlServer

    os.chdir(folder)
    with ClearmlServer() as server:
        os.environ.update(server.environment())
        from clearml.backend_api.session.client import APIClient

        from hpo_widgets.engines.clearml.poll_thread import PollThread
        from tests.clearml.fake_worker import make_base_task

        client = APIClient()
        agents = Agents(server, queue := client.queues.create(name="agents").id)
        base = make_base_task(client, "growth")
        looks: list[tuple[int, float, float]] = []
        look = PollThread.look

        def measured(thread: PollThread, followed: Mapping[str, Any]) -> None:
            began, used = time.perf_counter(), time.thread_time()
            look(thread, followed)
            looks.append((len(followed), time.perf_counter() - began, time.thread_time() - used))

        PollThread.look = measured  # type: ignore[method-assign]
        before = megabytes()
        optimizer = HyperParameterOptimizer(
            base, [UniformParameterRange("x", 0, 1)], objective_metric_title="validation",
            objective_metric_series="loss", objective_metric_sign="min", optimizer_class=RandomSearch,
            max_number_of_concurrent_tasks=count, total_max_jobs=count, execution_queue="agents", journal=folder,
            seed=1, pool_period_min=1.0,
        )  # fmt: skip
        assert queue
        began, num_asked = time.perf_counter(), len(server.log)
        optimizer.start()
        while sum(task is not None for task in map(optimizer._recorder.job_of, range(count))) < count:
            time.sleep(0.1)
        found = {"launch, ms a Task": 1e3 * (time.perf_counter() - began) / count}
        found["launch, requests a Task"] = (len(server.log) - num_asked) / count
        engine = optimizer._controller._engine
        while sum(job.launched is not None for job in engine._jobs.by_number.values()) < count:  # type: ignore[union-attr]
            time.sleep(0.05)

        # The garbage collector is not to look through all that the server holds, which is no part of a search, in the
        # midst of a look at it: that alone took 0.3 s of 10,000 Tasks.
        gc.collect()
        gc.freeze()

        def next_look() -> tuple[float, float]:
            """Have the next look come now; its seconds, and those of its thread's computing."""
            num_before = len(looks)
            with engine._jobs.changed:  # type: ignore[union-attr]
                engine._jobs.pace.look_now()  # type: ignore[union-attr]
                engine._jobs.changed.notify_all()  # type: ignore[union-attr]
            while len(looks) == num_before:
                time.sleep(0.01)
            return looks[-1][1:]

        agents.take_all()
        found["begun, s a poll"], found["begun, CPU s"] = next_look()
        agents.report()
        found["reported, s a poll"], found["reported, CPU s"] = next_look()
        while sum(optimizer.trial(number).value is not None for number in (0, count - 1)) < 2:
            time.sleep(0.02)
        num_asked = len(server.log)
        quiet = [next_look() for _ in range(TURNS)]
        found["quiet, requests a poll"] = (len(server.log) - num_asked) / TURNS
        found["quiet, s a poll"], found["quiet, CPU s"] = map(statistics.median, zip(*quiet, strict=True))
        found["memory with the server, MB"] = megabytes() - before
        agents.complete()
        began = time.perf_counter()
        found["ended, s a poll"], found["ended, CPU s"] = next_look()
        assert optimizer.wait(5), optimizer
        found["until all have ended, s"] = time.perf_counter() - began
        assert optimizer.counts[TrialState.COMPLETED] == count, optimizer.counts
        return found


TABLES: dict[str, tuple[Callable[[int, Path], Figures], list[int]]] = {
    "trials": (of_trials, [100, 1_000, 10_000, 100_000]),
    "trials in a page": (of_pages, [100, 1_000, 10_000, 100_000]),
    "parameters in a page": (of_pages_of_parameters, [1, 4, 16, 64]),
    "workers in a page": (of_pages_of_workers, [1, 8, 64, 512]),
    "reports in a page": (of_pages_of_reports, [100, 1_000, 10_000]),
    "workers": (of_workers, [1, 8, 64, 512]),
    "parameters": (of_parameters, [1, 4, 16, 64]),
    "reports": (of_reports, [1, 10, 100, 1_000, 10_000]),
    "tasks": (of_tasks, [100, 1_000, 10_000]),
}
"""What grows: how it is measured, and at which sizes."""


def measure(what: str, size: int) -> Figures:
    """Figures at one size, from a process of their own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.growth", what, str(size)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def table(what: str, rows: Mapping[int, Figures]) -> str:
    """A table in Markdown, a column a size."""
    names = list(next(iter(rows.values())))
    lines = [f"| {what} | {' | '.join(f'{size:,}' for size in rows)} |", f"| --- |{' ---: |' * len(rows)}"]
    lines += [f"| {name} | {' | '.join(_number(rows[size][name]) for size in rows)} |" for name in names]
    return "\n".join(lines)


def exponent(rows: Mapping[int, Figures], name: str) -> float:
    """How a figure grows between the two largest sizes: 0 not at all, 1 in step, 2 with the square."""
    smaller, larger = sorted(rows)[-2:]
    return float(np.log(rows[larger][name] / rows[smaller][name]) / np.log(larger / smaller))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"


def main() -> None:
    """Print tables, or, given a size too, the figures of one."""
    if len(sys.argv) > 2:
        measured, _ = TABLES[sys.argv[1]]
        with tempfile.TemporaryDirectory() as folder:
            figures = measured(int(sys.argv[2]), Path(folder))
        print(json.dumps(figures))
        return
    for what in sys.argv[1:] or TABLES:
        print(table(what, {size: measure(what, size) for size in TABLES[what][1]}), flush=True)
        print(flush=True)


if __name__ == "__main__":
    main()
