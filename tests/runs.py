"""What tests of whole searches run, and running it to its end."""

from __future__ import annotations

import threading

from hpo_widgets import UniformParameterRange
from tests.conftest import DEADLINE

X = UniformParameterRange("x", 0, 1)


def identity(x):
    return x


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


def finished(made, callback=None):
    assert made.start(callback) is True
    assert made.wait() is True
    return made
