"""Searches that people and subscribers command in any order while their engine holds trials."""

from __future__ import annotations

import itertools
import math
import queue
import tempfile
import time
from collections import deque
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpo_widgets import (
    DiscreteParameterRange,
    GridSearch,
    HyperParameterOptimizer,
    RandomSearch,
    UniformIntegerParameterRange,
)
from hpo_widgets.controller import recorder
from hpo_widgets.engines.base import JobEvent, Outcome
from hpo_widgets.search import SearchStatus
from hpo_widgets.trials import TrialState
from tests.benchmarks.searches import NoWorkers
from tests.conftest import DEADLINE
from tests.runs import identity

LAST = 15
"""The points of a search are the whole numbers from 0 to this, and those that are added as choices."""

COMMANDS = (
    "pause", "resume", "stop", "set workers", "set budget", "set no budget", "set range", "undo", "redo", "enqueue",
    "add", "retry_failed", "stop trial", "add choice", "leave out", "take back",
)  # fmt: skip
ENDS = (
    "completes", "completes", "all complete", "fails", "returns nan", "all fail to start", "completes after a notice",
)  # fmt: skip
LISTENING = [("completes", 0), ("subscriber: set range", 3), ("completes after a notice", 0)]
"""The subscriber hears of the notice before the search hears of the held trial that is launched after it."""
ENDING = [("completes", 0), ("all fail to start", 0)]
"""This ends a search of three workers while trials are held."""
EXHAUSTING = [("set range", 7), *[("completes", 0)] * 9, ("subscriber: undo", 0), ("completes", 0)]
"""The subscriber hears of the last end in the range, which ends the search."""
RESIZING = [("subscriber: set workers", 0), ("set workers", 1)]
"""The subscriber hears of the launch that the new worker allows."""
GROWING = [("add choice", 0), *[("completes", 0)] * 9, ("undo", 0), *[("completes", 0)] * 9, ("subscriber: redo", 0)]
"""Trials of a choice are held when it is left out again."""
OF_SUBSCRIBERS = tuple(f"subscriber: {command}" for command in COMMANDS)


class Steered(NoWorkers):
    """Runs trials in no time and in no process, and holds some as `FunctionPool` does."""

    steering: Steering

    def __init__(self, template, **options):
        super().__init__(template, **options)
        self.running = {}
        self.held = deque()
        self.events = []
        self.steering.engine = self

    def free(self):
        return max(0, self.num_workers - len(self.running))

    def launch(self, number, point):
        assert self.free() > 0
        self.steering.check_launch(number, point)
        self.running[number] = point
        return 0

    def hold(self, number, point):
        self.held.append((number, point))

    def drop_held(self):
        self.held.clear()

    def abort(self, number, grace=0.1, state=TrialState.ABORTED):
        if number in self.running:
            self._end(number, Outcome(state))

    def end(self, place, outcome):
        """End the trial at a place among those that run; nothing happens when none runs."""
        numbers = list(self.running)
        if numbers:
            self._end(numbers[place % len(numbers)], outcome)

    def _end(self, number, outcome):
        point = self.running.pop(number)
        if outcome.state is TrialState.COMPLETED and outcome.result is None:
            outcome = outcome._replace(result=point["x"])
        self.events.append(JobEvent("ended", number, outcome))
        if self.held and outcome.state is TrialState.COMPLETED and self.free() > 0:
            assert self.steering.made.num_waiting_points == 0
            following = self.held.popleft()
            self.launch(*following)
            self.events.append(JobEvent("launched", following[0], (0, time.monotonic(), number)))

    def wait(self, timeout=None):
        while not self.events and not self.woken.is_set():
            if not self.steering.takes_step():
                self.woken.wait(timeout)
                break
        self.woken.clear()
        events, self.events = self.events, []
        return events

    def close(self):
        self.steering.asked.put(None)


class Steering:
    """Steers one search by steps, and then until each point was tried; all parts of it have to agree after each step.

    The engine takes the steps, on the controller's thread: it ends trials, or has the test's own thread or a subscriber
    carry out a command.
    """

    def __init__(self, folder, steps, *, is_choice=False, **keywords):
        self.steps = deque(steps)
        self.is_choice = is_choice
        self.new_choices = itertools.count(LAST + 1)
        self.asked = queue.Queue()
        """Commands for the test's thread; None at the end of a run."""
        self.of_subscriber = deque()
        self.is_commanding = self.is_finishing = False
        self.launched, self.recorded = {}, {}
        """Points by the numbers of their trials."""
        self.engine = None
        x = DiscreteParameterRange("x", range(LAST + 1)) if is_choice else UniformIntegerParameterRange("x", 0, LAST)
        space = [x]
        self.made = HyperParameterOptimizer(identity, space, journal=folder, **keywords)
        self.made.set_default_job_class(type("Job", (Steered,), {"steering": self}))
        self.made.subscribe(self.hear)

    def run(self):
        made = self.made
        while made.start():
            while (asked := self.asked.get(timeout=DEADLINE)) is not None:
                self.carry_out(*asked)
                self.is_commanding = False
                self.engine.wake()
            assert made.wait(DEADLINE / 60)
            assert made.stop_reason.code != "error", made.stop_reason
            self.is_finishing = not self.steps
            self.carry_out("finish", 0)

    # On the controller's thread ---------------------------------------------------------------------------------------

    def takes_step(self):
        """Take the next step; False while another thread carries it out."""
        self.check()
        if self.is_commanding:
            return False
        if not self.steps:
            if self.is_finishing:
                self.engine.end(0, Outcome(TrialState.COMPLETED))
                return bool(self.engine.events)
            self.is_finishing = True
            self.steps.append(("finish", 0))
        kind, number = self.steps.popleft()
        if kind in ENDS:
            if kind == "completes after a notice":
                self.engine.events.append(JobEvent("notice", -1, ("trials", "it is late")))
            outcome = Outcome(
                TrialState.FAILED if "fail" in kind else TrialState.COMPLETED,
                math.nan if kind == "returns nan" else None,
                launch_failed=kind == "all fail to start",
            )
            for _ in range(len(self.engine.running) if "all" in kind else 1):
                self.engine.end(number, outcome)
        elif kind in OF_SUBSCRIBERS:
            self.of_subscriber.append((kind.removeprefix("subscriber: "), number))
        else:
            self.is_commanding = True
            self.asked.put((kind, number))
        return not self.is_commanding

    def check_launch(self, number, point):
        limit = self.made.total_max_jobs
        assert self.made.status is SearchStatus.RUNNING
        assert limit is None or len(self.launched) < limit
        assert number == len(self.launched) + len(self.recorded)
        self.launched[number] = point["x"]

    def check(self):
        engine, state = self.engine, self.made._controller.state
        assert list(engine.running) == list(state.active)
        assert state.num_launched == len(self.launched)
        assert [number for number, _ in engine.held] == list(
            range(state.num_numbered, state.num_numbered + len(engine.held))
        )
        assert len(engine.held) <= len(engine.running)
        known = {*self.launched.values(), *self.recorded.values(), *(point["x"] for _, point in engine.held)}
        assert state.seen == {tuple(self.made.space.encode({"x": x})) for x in known}

    def hear(self):
        while self.of_subscriber and self.made.is_running():
            self.carry_out(*self.of_subscriber.popleft())

    # On any thread ----------------------------------------------------------------------------------------------------

    def carry_out(self, command, number):
        made, point = self.made, {"x": number % (LAST + 1)}
        if command == "finish":
            self.of_subscriber.clear()
            made.resume()
            made.set_total_max_jobs(None)
            made.set_ranges({"x": made.space.leaf("x").declared})
        elif command == "set workers":
            made.set_max_number_of_concurrent_tasks(1 + number % 4)
        elif command == "set budget":
            made.set_total_max_jobs(max(1, len(self.launched) + number % 4))
        elif command == "set no budget":
            made.set_total_max_jobs(None)
        elif command == "set range":
            low, high = number % LAST, min(LAST, number % LAST + 8)
            made.set_ranges({"x": range(low, high + 1) if self.is_choice else (low, high)})
        elif command == "add choice":
            if self.is_choice:
                made.add_choices("x", [next(self.new_choices)])
        elif command == "enqueue":
            made.enqueue_trial(point)
        elif command == "add":
            made._controller.submit(lambda: self._add(point)).result(DEADLINE)
        elif command == "stop trial":
            running = [number for number in list(self.engine.running) if number < len(made.snapshot())]
            if running:
                made.stop_trial(running[number % len(running)])
        elif command in {"leave out", "take back"}:
            rows = made.snapshot()
            ended = rows.numbers[rows.state >= TrialState.COMPLETED].tolist()
            if ended:
                (made.leave_out if command == "leave out" else made.take_back)(ended[number % len(ended)])
        else:
            getattr(made, command)()

    def _add(self, point):
        number = len(self.launched) + len(self.recorded)
        self.recorded[number] = point["x"]
        assert self.made.add_trial(point, 1.0) == number


@pytest.mark.parametrize("optimizer_class", [GridSearch, RandomSearch])
@pytest.mark.parametrize("is_choice", [False, True])
@settings(max_examples=settings().max_examples // 5)
@given(
    steps=st.lists(st.tuples(st.sampled_from(ENDS + COMMANDS + OF_SUBSCRIBERS), st.integers(0, 31)), max_size=60),
    workers=st.integers(1, 3),
    max_failures=st.sampled_from([1, 3, None]),
)
@example(steps=ENDING, workers=3, max_failures=None)
@example(steps=EXHAUSTING, workers=1, max_failures=None)
@example(steps=RESIZING, workers=1, max_failures=None)
@example(steps=LISTENING, workers=1, max_failures=None)
@example(steps=GROWING, workers=3, max_failures=None)
def test_each_point_is_launched_once_and_when_it_may_be(optimizer_class, is_choice, steps, workers, max_failures):
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(recorder, "_FLUSH_SECONDS", 0.0):
        steering = Steering(
            Path(folder),
            steps,
            is_choice=is_choice,
            optimizer_class=optimizer_class,
            max_number_of_concurrent_tasks=workers,
            max_failures=max_failures,
        )
        try:
            steering.run()
        finally:
            steering.is_commanding = True
            steering.made.stop()
        snapshot, tried = steering.made.snapshot(), set()
        for number, x in sorted((steering.launched | steering.recorded).items()):
            assert steering.made.trial(number).parameters == {"x": x}
            assert number in steering.recorded or snapshot.enqueued[number] or x not in tried
            tried.add(x)
        assert len(snapshot) == number + 1
        assert tried == set(range(next(steering.new_choices)))
