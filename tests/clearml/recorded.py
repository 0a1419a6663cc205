"""Sequences of calls: those that were recorded with a real server, and those of a test."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

SEQUENCES = Path(__file__).resolve().parent / "sequences"

# "   0.03s trial      GET  /v2.23/projects.get_all                    200 x1 name,only_fields"
LINE = re.compile(
    r"\s*[\d.]+s (?P<role>\w+)\s+(?P<method>[A-Z]+)\s+/(?P<path>\S+)\s+(?P<status>\d+) x\d+ ?(?P<said>.*)"
)
# What is edited is the point of an edit.
EDITED = ("hyperparams", "runtime", "tags", "system_tags", "script", "configuration")


@dataclass(frozen=True)
class Step:
    """One call: by whom (controller, trial, agent), what, and with which status; for an edit also what it edits."""

    role: str
    method: str
    path: str
    status: int
    edited: str = ""
    request: dict = field(default_factory=dict, compare=False)

    @property
    def endpoint(self):
        return self.path.rpartition("/")[2]

    @property
    def call(self):
        return f"{self.method} /{self.path} {self.status} {self.edited}".rstrip()


def recorded(name):
    """The steps of a recorded sequence, from the first launch on without those that had been done before."""
    steps = []
    for line in (SEQUENCES / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        found = LINE.fullmatch(line)
        assert found, line
        fields = re.split(r"[,=]", found["said"]) if found["path"].endswith("tasks.edit") else ()
        edited = ",".join(name for name in EDITED if name in fields)
        steps.append(Step(found["role"], found["method"], found["path"], int(found["status"]), edited))
    return steps


def calls(steps, *roles):
    """The different calls among some steps, of certain roles or of all."""
    return {step.call for step in steps if not roles or step.role in roles}


def in_order(steps):
    """The calls one after another, equal neighbours once: how often something is polled depends on the clock."""
    return [call for call, _ in groupby(step.call for step in steps)]


def in_foreground(steps):
    """The calls of a script's own thread in their order; the SDK's threads write when they come to it."""
    return in_order(
        step
        for step in steps
        if step.endpoint not in {"events.add_batch", "tasks.get_by_id", "tasks.get_all", "tasks.set_requirements"}
        and step.edited not in {"script", "runtime"}
    )


def recorded_launch(name, last):
    """The calls with which a controller launched its first trial, after the clone and up to a certain one."""
    steps = [step for step in recorded(name) if step.role == "controller"]
    start = 1 + next(number for number, step in enumerate(steps) if step.endpoint == "tasks.clone")
    end = next(number for number, step in enumerate(steps) if step.endpoint == last and number > start)
    return in_order(steps[start : end + 1])
