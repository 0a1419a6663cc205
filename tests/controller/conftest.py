"""The state of a search and doubles of what stands round it."""

from __future__ import annotations

import time

import pytest

from hpo_widgets.controller.active_trial import ActiveTrial
from hpo_widgets.controller.state import SearchState
from hpo_widgets.controller.trial_lifecycle import TrialLifecycle
from hpo_widgets.objectives import make_objectives
from hpo_widgets.parameters import UniformParameterRange
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space
from hpo_widgets.strategies import RandomSearch
from hpo_widgets.trials import TrialRow, TrialState


class Recorder:
    """What of a search was recorded."""

    def __init__(self):
        self.beats = 0
        self.rows = []
        self.events = []
        self.shown = self

    def heartbeat(self):
        self.beats += 1

    def top(self, k):
        return []

    def event(self, kind, **data):
        self.events.append(kind)

    def change(self, row):
        pass

    def ended(self, row):
        self.rows.append(row)


class Engine:
    """What was asked of the workers."""

    def __init__(self):
        self.aborted = []
        self.asked = []

    def abort(self, number, grace):
        self.aborted.append(number)

    def ask_stop(self, number, state):
        self.asked.append((number, state))

    def launch(self, number, point):
        return 0


class Deaf:
    """A strategy that hears of nothing."""

    wants_observations = False

    def report(self, number, iteration, value):
        pass


@pytest.fixture
def engine():
    return Engine()


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def state():
    space = Space([UniformParameterRange("x", 0, 1)])
    return SearchState(space, make_objectives("a", "b", "min"), RandomSearch(), Settings(2))


@pytest.fixture
def trials(state, recorder, engine):
    return TrialLifecycle(state, recorder, Deaf(), engine, lambda source, sentence: None)


@pytest.fixture
def run_trial(state):
    """Have a trial run that was launched so many seconds ago."""

    def run(number, seconds=0.0):
        began = time.monotonic() - seconds
        state.active[number] = ActiveTrial(TrialRow(number, TrialState.RUNNING, 0, [0.5]), None, began)
        state.clock.active_started[number] = began

    return run
