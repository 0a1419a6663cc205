"""A server that answers what a test says, in this process."""

from __future__ import annotations

import optuna

from hpo_widgets.engines.clearml.server import Server


class FakeServer(Server):
    """Answers with data, with an error, or with what a function of action and body gives.

    Attributes
    ----------
    asked : list of str
        The actions so far.
    """

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def call(self, action, /, **body):
        self.asked.append(action)
        answer = self.answer(action, **body) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            raise answer
        return answer


class Idle:
    """What has nothing to do."""

    def look(self, views):
        pass

    def start(self):
        pass


class Impatient(optuna.pruners.BasePruner):
    """Prunes whatever has reported."""

    def prune(self, study, trial):
        return True
