"""What is measured for hours in minutes: a program that says after each round how much it holds.

Run as ``python -m tests.faults.soak WHAT NUMBER FOLDER``; prints a line of JSON a round.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from pathlib import Path

import psutil

ROUNDS = 25
"""So often is looked at one search; the other kinds have a round for each search and each panel."""
SCALARS_A_TRIAL = 10


def say(number, **more):
    """Print what this process holds."""
    gc.collect()
    process = psutil.Process()
    held = {
        "number": number,
        "bytes": process.memory_info().rss,
        "blocks": sys.getallocatedblocks(),
        "threads": threading.active_count(),
        "processes": len(process.children(recursive=True)),
        "files": process.num_fds() if hasattr(process, "num_fds") else 0,
        **more,
    }
    sys.stdout.write(json.dumps(held) + "\n")
    sys.stdout.flush()


def objective(x, trial):
    """Report some scalars and return one."""
    for iteration in range(SCALARS_A_TRIAL - 1):
        trial.report_scalar("objective", "objective", x / (iteration + 1), iteration)
    return x


def make(folder, **keywords):
    """Return a search of two parameters."""
    from hpo_widgets import HyperParameterOptimizer, UniformParameterRange

    return HyperParameterOptimizer(
        objective, [UniformParameterRange("x", 0, 1)], journal=folder, max_number_of_concurrent_tasks=2, **keywords
    )


def trials(number, folder):
    """Run many trials of one search; whoever looks is told of each round."""
    made = make(folder, total_max_jobs=number)
    every = max(1, number // ROUNDS)
    due = threading.Semaphore(0)
    num_ended = 0

    def completed(*_):
        nonlocal num_ended
        num_ended += 1
        if num_ended % every == 0:
            due.release()

    say(0, kind="idle")
    made.start(completed)
    for at in range(number // every):
        due.acquire()
        say((at + 1) * every)
    made.wait()
    assert len(made.snapshot()) == number
    made.close_files()
    settle()
    say(number, kind="ended")


def searches(number, folder):
    """Make, run and drop one search after another, as a long session in a notebook does, every other one unclosed."""
    for at in range(number):
        made = make(folder, total_max_jobs=4)
        made.start(lambda *_: None)
        made.wait()
        assert made.trial(3).values
        if at % 2:
            made.close_files()
        del made
        settle()
        say(at + 1)


def panels(number, folder):
    """Show one search in a panel again and again, as a cell does that is run again."""
    import comm
    from ipywidgets.widgets import widget

    from hpo_widgets.widget import OptimizerWidget

    counts = {"opened": 0, "comms": 0}

    class Comm(comm.DummyComm):
        def __init__(self, *arguments, **keywords):
            counts["opened"] += 1
            counts["comms"] += 1
            super().__init__(*arguments, **keywords)

        def close(self, *arguments, **keywords):
            counts["comms"] -= not self._closed
            super().close(*arguments, **keywords)

    comm.create_comm = Comm
    made = make(folder, total_max_jobs=50)
    made.start()
    made.wait()
    for at in range(number):
        panel = OptimizerWidget(made)
        panel._repr_mimebundle_()
        panel.close()
        del panel
        settle()
        say(at + 1, **counts, widgets=len(widget._instances))


def settle():
    """Let threads end that were told to."""
    for thread in threading.enumerate():
        if thread.daemon and thread.name.startswith("hpo"):
            thread.join(10)


if __name__ == "__main__":
    what, number, folder = sys.argv[1:]
    os.chdir(folder)
    {"trials": trials, "searches": searches, "panels": panels}[what](int(number), Path(folder))
