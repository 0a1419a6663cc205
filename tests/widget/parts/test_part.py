"""Closing a part closes all that it shows."""

from __future__ import annotations

import ipywidgets

from hpo_widgets.widget.parts.part import close_tree


def test_children_layouts_and_styles_are_closed(wire):
    box = ipywidgets.VBox([ipywidgets.HBox([ipywidgets.Button()]), ipywidgets.IntSlider()])
    assert wire.num_open() > 5
    close_tree(box)
    assert wire.num_open() == 0


def test_widgets_that_lead_to_each_other_are_closed_once(wire):
    first, second = ipywidgets.IntText(), ipywidgets.IntText()
    link = ipywidgets.jslink((first, "value"), (second, "value"))
    close_tree(link)
    assert wire.num_open() == 0
