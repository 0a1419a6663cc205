"""What tests of whole searches run, and running it to its end."""

from __future__ import annotations

from hpo_widgets import UniformParameterRange

X = UniformParameterRange("x", 0, 1)


def identity(x):
    return x


def let_an_hour_go_by(made):
    """Have each trial that runs have begun an hour earlier."""
    started = made._controller.state.clock.active_started

    def go_by():
        started.update({number: moment - 3600 for number, moment in started.items()})

    made._controller.submit(go_by).result()
    made.set_compute_time_limit(None)  # has the clock looked at


def finished(made, callback=None):
    assert made.start(callback) is True
    assert made.wait() is True
    return made
