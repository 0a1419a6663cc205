"""The thread that reports: it holds nobody up when its server is away."""

from __future__ import annotations

import threading

import pytest

from hpo_widgets.clearml import reporter
from hpo_widgets.clearml.optimizer_task import OptimizerTask
from hpo_widgets.clearml.reporter import Reporter
from hpo_widgets.jobs.base import StartedSearch
from hpo_widgets.testing import ScriptedSearch


class Stuck(OptimizerTask):
    """An optimizer Task whose server is away: the SDK tries for hours."""

    def __init__(self):
        self.is_read_only = False
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


def test_a_last_report_is_not_waited_for_without_end(stuck, monkeypatch):
    monkeypatch.setattr(reporter, "LAST_SECONDS", 0.05)
    told = []
    source = StartedSearch(ScriptedSearch(), str, list, dict, lambda: 600.0, lambda seconds: True, told.append)
    made = Reporter(None, stuck, "queue", archives=False)
    made.begin(source)
    assert made.wait(0.01) is False
    assert made.wait(None) is True
    assert made.wait(10.0) is True
    stuck.is_back.set()
