"""How figures are made: their frame, and their axes, which change between linear and logarithmic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from bqplot import Axis, Figure, Image, LinearScale, LogScale, Tooltip
from traitlets import Instance

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.axes import tick_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bqplot import Mark

    from hpo_widgets.widget.plots.axes import Domain

AXIS: dict[str, Any] = {
    "label_color": style.TEXT,
    "tick_style": {"font-size": "11px"},
    "grid_color": style.LINE,
}
"""How an axis looks."""

FILLS_TAB = {"width": "auto", "height": "100%", "min_height": "320px", "min_width": "0"}
"""Layout of a figure that fills its tab."""


def plain_figure(
    marks: Sequence[Mark],
    axes: Sequence[Axis],
    title: str,
    *,
    margins: Mapping[str, int] | None = None,
    layout: Mapping[str, str] = FILLS_TAB,
) -> Figure:
    """Make a figure.

    Parameters
    ----------
    marks, axes
        What is drawn.
    title
        What the figure shows. Not drawn: the page gives it to the figure as its name.
    margins
        Room round the plot in pixels, where it is another than usual: ``top``, ``bottom``, ``left``, ``right``.
    layout
        Traits of its layout. Default: it fills its tab.

    Returns
    -------
    bqplot.Figure
        The figure.
    """
    unit = LinearScale(min=0.0, max=1.0, allow_padding=False)
    return Figure(
        # For marks without scales, of which there are none; by default these would be two more widgets.
        scale_x=unit,
        scale_y=unit,
        marks=list(marks),
        axes=list(axes),
        title=title,
        animation_duration=0,
        fig_margin={"top": 12, "bottom": 44, "left": 72, "right": 16, **(margins or {})},
        background_style={"fill": "none"},
        display_toolbar=False,
        padding_y=0.0,
        layout=dict(layout),
    )


def tick_traits(ticks: Sequence[float]) -> dict[str, Any]:
    """Return the traits of an axis that has these ticks."""
    return {"tick_values": np.array(ticks), "tick_format": tick_format(ticks)}


class _TurnAxis(Axis):
    """An axis that takes turns with one of the other kind.

    Neither is closed at a change, and neither is its scale: a page that is loaded at that moment would wait for ever
    for a widget that was closed before it was answered (as `style.Picture`).
    """

    spare = Instance(Axis, allow_none=True, help="That of the other kind; made when it is needed first.").tag(
        sync=True, **ipywidgets.widget_serialization
    )


class FigureAxis:
    """A scale and an axis of bqplot, of a kind that may change.

    Parameters
    ----------
    domain
        The ends and the kind.
    ticks
        Gives the traits of the ticks for some ends.
    name
        What lies along the axis, which the page shortens to the figure; a logarithmic one says so behind it. Default:
        nothing.
    traits
        Further traits of the axis.

    Attributes
    ----------
    domain : Domain
        The ends and the kind as they are now.
    scale, axis
        The present ones of bqplot.
    """

    def __init__(
        self, domain: Domain, ticks: Callable[[Domain], Mapping[str, Any]], name: str = "", **traits: Any
    ) -> None:
        self._ticks, self._name, self._traits = ticks, name, {**AXIS, **traits}
        self._make(domain)

    def _make(self, domain: Domain) -> None:
        self.domain = domain
        make: Any = LogScale if domain.is_log else LinearScale
        self.scale = make(min=domain.low, max=domain.high, allow_padding=False)
        label = f"{self._name} (log)" if self._name and domain.is_log else self._name
        self.axis = _TurnAxis(scale=self.scale, label=label, **self._ticks(domain), **self._traits)

    def set_domain(self, domain: Domain, figure: Figure) -> None:
        """Move the ends; for another kind, give the figure another axis and its marks another scale.

        Parameters
        ----------
        domain
            The new ends and kind.
        figure
            The figure that the axis is part of.
        """
        if domain == self.domain:
            return
        if domain.is_log == self.domain.is_log:
            self._move(domain)
            return
        old_scale, old_axis = self.scale, self.axis
        if old_axis.spare is None:
            self._make(domain)
        else:
            self.axis = old_axis.spare
            self.scale = self.axis.scale
            self._move(domain)
        for mark in figure.marks:
            if old_scale in mark.scales.values():
                if domain.is_log and isinstance(mark, Image):
                    # A picture that begins at 0 or below has no place on such a scale, not even for a moment.
                    for name in ("x", "y"):
                        if mark.scales[name] is old_scale:
                            setattr(mark, name, [domain.low, domain.high])
                mark.scales = {name: self.scale if scale is old_scale else scale for name, scale in mark.scales.items()}
        # An axis that is given another scale goes on drawing ticks with the old one.
        figure.axes = [self.axis if axis is old_axis else axis for axis in figure.axes]
        self.axis.spare, old_axis.spare = old_axis, None

    def _move(self, domain: Domain) -> None:
        """Move the ends of the present axis."""
        self.domain = domain
        with self.scale.hold_sync():
            self.scale.min, self.scale.max = domain.low, domain.high
        self.draw_ticks()

    def draw_ticks(self) -> None:
        """Take the ticks anew, as they depend on more than the ends."""
        with self.axis.hold_sync():
            for name, value in self._ticks(self.domain).items():
                setattr(self.axis, name, value)


def tooltip(said: Mapping[str, tuple[str, str]], **traits: Any) -> Tooltip:
    """Return what is shown beside the trial under the pointer.

    Parameters
    ----------
    said
        Field of the point to its label and format.
    **traits
        Further traits of the tooltip.

    Returns
    -------
    Tooltip
        The pointer goes through it: a trial that it covers can be clicked.
    """
    labels, formats = zip(*said.values(), strict=True)
    tip = Tooltip(fields=list(said), labels=list(labels), formats=list(formats), show_labels=True, **traits)
    tip.add_class("hpo-tip")
    return tip
