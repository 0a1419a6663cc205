"""Frames of figures: an axis whose kind changes."""

from __future__ import annotations

import pytest
from bqplot import LinearScale, Lines, LogScale

from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots.axes import Domain, ticks_between
from hpo_widgets.widget.plots.figure import FigureAxis, plain_figure, tick_traits


@pytest.fixture
def axis():
    return FigureAxis(Domain(0.0, 1.0), lambda domain: tick_traits(ticks_between(domain, 6)), "loss", side="left")


def test_an_axis_that_changes_its_kind_takes_turns_with_one_of_the_other_and_closes_no_widget(wire, axis):
    """A page that is loaded meanwhile asks for all widgets; one that was closed before it is answered never is."""
    num_before = wire.num_open()
    line = Lines(x=[0.0, 1.0], y=[0.1, 1.0], scales={"x": LinearScale(), "y": axis.scale})
    figure = plain_figure([line], [axis.axis], "a line")
    first = axis.axis
    wire.clear()
    for number, is_log in enumerate([True, False, True, False, True], 1):
        axis.set_domain(Domain(0.01, float(number), is_log=is_log), figure)
        assert figure.axes == [axis.axis]
        assert line.scales["y"] is axis.axis.scale is axis.scale
        assert type(axis.scale) is (LogScale if is_log else LinearScale)
        assert (axis.scale.min, axis.scale.max) == (0.01, number)
        assert max(axis.axis.tick_values) <= number
        assert axis.axis.label == ("loss (log)" if is_log else "loss")
        assert (axis.axis is first) == (not is_log)
    assert "comm_close" not in [message["type"] for _, message in wire.messages()]
    close_tree(figure)
    # Those of the test's own axis were open before.
    assert wire.num_open() <= num_before
