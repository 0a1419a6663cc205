"""What tests of whole searches run, and running it to its end."""

from __future__ import annotations

import threading
import time

from hpo_widgets import UniformParameterRange
from tests.conftest import DEADLINE

X = UniformParameterRange("x", 0, 1)
HANGS = 480.0
"""Seconds after which a search, a script, an agent or a state that a test waits for is taken to hang."""


def identity(x):
    return x


class Time:
    """Both clocks of the machine; they stand until a test moves them. ``began`` is the time of day of the first."""

    def __init__(self, began=1e9):
        self.began = began
        self.seconds = 1000.0
        self.set_by = 0.0  # seconds by which somebody has set the time of day

    def pass_minutes(self, minutes):
        self.seconds += minutes * 60

    def monotonic(self):
        return self.seconds

    def time(self):
        return self.began + self.seconds - 1000.0 + self.set_by


def let_an_hour_go_by(made):
    """Have each trial have begun an hour earlier, once all that were launched have begun."""
    state = made._controller.state
    started = state.clock.active_started
    changed = threading.Event()

    def go_by():
        if started.keys() != state.active.keys():
            return False
        started.update({number: moment - 3600 for number, moment in started.items()})
        return True

    unsubscribe = made.subscribe(changed.set)
    try:
        while not made._controller.submit(go_by).result():
            assert changed.wait(DEADLINE), f"not all have begun: {made!r} {made.counts}"
            changed.clear()
    finally:
        unsubscribe()
    made.set_compute_time_limit(None)  # has the clock looked at


def run_notebook(notebook, folder, **start):
    """Run a notebook in a kernel of its own, with what starts that, such as ``env``.

    Where a cell hangs, the error says where each thread of the kernel is.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError
    from nbformat.v4 import new_code_cell

    stacks = folder / "stacks.txt"
    seconds = 240
    # Begun anew with each cell: to read the stacks of threads that run may crash the kernel.
    watch = (
        "import faulthandler\n"
        "get_ipython().events.register('pre_run_cell', lambda _cell, to=open("
        f"{str(stacks)!r}, 'w'): faulthandler.dump_traceback_later({seconds - 5}, file=to))"
    )
    notebook.cells.insert(0, new_code_cell(watch))
    client = NotebookClient(notebook, timeout=seconds, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute(**start)
    except CellTimeoutError as error:
        error.add_note(stacks.read_text(encoding="utf-8"))
        raise
    finally:
        del notebook.cells[0]


def finished(made, *arguments):
    assert made.start(*arguments) is True
    assert made.wait(timeout=HANGS / 60) is True, f"{made!r} {made.counts} {made.errors}"
    return made


def wait_for(condition, message, pause=0.1):
    """Look from time to time at what other threads or processes do, until it is done."""
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end, message
        time.sleep(pause)
