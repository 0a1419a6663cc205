"""The thread that reports: it holds nobody up when its server is away."""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from hpo_widgets.engines.base import StartedSearch
from hpo_widgets.engines.clearml import reporting
from hpo_widgets.engines.clearml.optimizer_task import OptimizerTask
from hpo_widgets.engines.clearml.reporting import OptimizerReport, ReportThread
from hpo_widgets.engines.clearml.server import ClearmlError, UnreachableError
from hpo_widgets.testing import ScriptedSearch
from tests.clearml.fake_server import FakeServer
from tests.runs import wait_for


class Stuck(OptimizerTask):
    """An optimizer Task whose server is away: the SDK tries for hours."""

    def __init__(self):
        self.is_read_only = self.is_continued = False
        self.task = None
        self.is_back = threading.Event()

    def begin(self):
        self.is_back.wait()

    def keep(self, state):
        """Nothing to keep."""

    def end(self):
        """Nothing to end."""


@pytest.fixture
def stuck():
    made = Stuck()
    yield made
    made.is_back.set()


def test_a_last_report_is_not_waited_for_without_end_and_not_said_to_be_sent(stuck, monkeypatch):
    monkeypatch.setattr(reporting, "LAST_SECONDS", 0.05)
    told = []
    source = StartedSearch(
        ScriptedSearch(), str, list, dict, lambda: 600.0, lambda seconds: True, told.append, told.append
    )
    made = ReportThread(None, stuck, "queue", archives=False)
    made.begin(source)
    for timeout in (0.01, None, 600.0):
        assert made.wait(timeout) is False
    stuck.is_back.set()
    monkeypatch.setattr(reporting, "LAST_SECONDS", 60.0)
    assert made.wait(None) is True


def test_a_run_that_follows_at_once_is_reported_behind_the_one_before(
    running, worker, own, until, monkeypatch, request
):
    calls = []
    is_keeping, goes_on = threading.Event(), threading.Event()
    request.addfinalizer(goes_on.set)

    def keep(self, state):
        calls.append(("keep", threading.get_ident()))
        is_keeping.set()
        assert goes_on.wait(60)

    monkeypatch.setattr(OptimizerTask, "begin", lambda self: calls.append(("begin", threading.get_ident())))
    monkeypatch.setattr(OptimizerTask, "keep", keep)
    monkeypatch.setattr(OptimizerTask, "end", lambda self: calls.append(("end", threading.get_ident())))
    made = running(auto_connect_task=own)
    assert is_keeping.wait(60)
    # The server takes its time for the first run's report while the second begins.
    made.stop(wait_for_reporter=False)
    until(made, lambda: not made.is_running())
    assert made.start()
    goes_on.set()
    wait_for(lambda: [what for what, _ in calls].count("begin") == 2, "the first is followed still", pause=0.02)
    worker.gate.set()
    assert made.wait(timeout=1.0)
    first, second = dict.fromkeys(thread for _, thread in calls)
    assert [thread for _, thread in calls] == sorted((thread for _, thread in calls), key=[first, second].index)
    for run in (first, second):
        said = [what for what, thread in calls if thread == run]
        assert (said[0], said[-1], set(said[1:-1])) == ("begin", "end", {"keep"})


class Falling:
    """A search in which a further trial falls out of the top with each look."""

    def __init__(self):
        self._numbers = itertools.count()

    def changes_since(self, version):
        return SimpleNamespace(numbers=np.array([next(self._numbers)]), archived=np.array([True]), version=version + 1)


def test_what_goes_wrong_again_and_again_is_told_once_until_it_succeeds():
    told = []
    looks = iter([False] * 50 + [True])
    source = StartedSearch(
        Falling(), str, list, dict, lambda: 600.0, lambda seconds: next(looks), told.append, told.append
    )
    answers = iter([*[UnreachableError("it is away")] * 30, {}, *[UnreachableError("it is away")] * 19, {}])
    made = ReportThread(FakeServer(lambda _action, **_body: next(answers)), None, "queue", archives=True)
    made.begin(source)
    assert made.wait(None) is True
    assert told == ["the report could not be sent: it is away"] * 2


def test_an_optimizer_task_that_somebody_has_closed_says_that_it_keeps_the_search_no_more(own):
    kept = OptimizerTask(own, stores_arguments=False)
    kept.keep({"run": "a"})
    own.mark_completed(force=True)
    with pytest.raises(ClearmlError, match=f"{own.id} has ended, so the search is only kept in its journal"):
        kept.keep({"run": "b"})


class Logger:
    """Keeps the scalars that are reported."""

    def __init__(self):
        self.best = []

    def report_scalar(self, title, series, iteration, value):
        if series == "min":
            self.best.append(value)


def test_the_best_value_so_far_goes_on_without_what_was_left_out_since_the_last_report():
    search, logger = ScriptedSearch(), Logger()
    source = StartedSearch(search, str, list, dict, lambda: 600.0, lambda seconds: True, print, print)
    report = OptimizerReport(None, None, "queue")
    search.add_trials([0.5, 0.25, 0.75])
    report._send_best(logger, source)
    search.command("leave_out", 1)
    search.add_trials([0.6])
    report._send_best(logger, source)
    search.command("take_back", 1)
    search.add_trials([0.7])
    report._send_best(logger, source)
    assert logger.best == [0.5, 0.25, 0.25, 0.5, 0.25]
