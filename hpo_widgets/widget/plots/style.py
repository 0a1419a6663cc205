"""Colours that the plots share, and how marks get their data.

The panel's style sheet sets the variables for both themes; the colours after the comma serve without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt
from bqplot import Image
from traitlets import Instance

from hpo_widgets.trials import TrialState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bqplot import Mark

    from hpo_widgets.trials.filter import TrialFilter
    from hpo_widgets.widget.plots.series import Floats

DOT = "var(--hpo-dot, #3b78c4)"
BAD = "var(--hpo-cross, #b3261e)"
BEST = "var(--hpo-best, #d97706)"
ACCENT = "var(--hpo-accent, #1565c0)"
TEXT = "var(--hpo-text-muted, #757575)"
LINE = "var(--hpo-line, #88888833)"
LANE = "var(--hpo-lane, #88888828)"
SURFACE = "var(--hpo-surface, #ffffff)"

STRONG_TEXT = "var(--hpo-text, #202124)"

SERIES = [
    "var(--hpo-series-0, #5a6472)",
    "var(--hpo-series-1, #3b78c4)",
    "var(--hpo-series-2, #7a3e9d)",
    "var(--hpo-series-3, #00796b)",
]
"""Colours of things that are compared, which never are the only thing by which they differ."""

SERIES_DASHES = ["dashed", "solid", "dash_dotted", "dotted"]
"""Their dashes, in the same order."""

RAMP = np.linspace((0xB4, 0xCB, 0xE9), (0x0A, 0x34, 0x78), 9).round().astype(np.uint8)
"""From the worst to the best: red, green and blue of each level in a picture.

The style sheet has the same colours as variables, and inverts pictures and variables for a dark theme, so that the best
stands out there too.
"""

RAMP_NAMES = [f"var(--hpo-ramp-{level}, #{bytes(rgb).hex()})" for level, rgb in enumerate(RAMP)]
"""The same for marks."""

FIXED = {"x": True, "y": True}
"""Marks that leave the ends of the axes alone."""

NONE = np.empty(0)

LABEL: dict[str, Any] = {"text": [], "colors": [TEXT], "default_size": 11, "font_weight": "normal"}
"""How words inside a figure look."""
LETTER_WIDTH = 8
"""Pixels that a letter of such words, or of those beside an axis, needs."""

NOT_FINITE = "completed, value not finite"
"""What a legend calls trials that have completed and are drawn with the failed ones."""

BEYOND = {True: "△", False: "▽"}
"""Signs of trials whose values lie beyond the axis, by whether low ones are good: only bad ones do."""

RING: dict[str, Any] = {
    "colors": [ACCENT],
    "fill": False,
    "stroke": ACCENT,
    "stroke_width": 2,
    "default_size": 130,
}
"""How a selected trial is marked."""

ENQUEUED: dict[str, Any] = {
    "marker": "square",
    "colors": [TEXT],
    "fill": False,
    "stroke": TEXT,
    "stroke_width": 1,
}
"""How a trial that a person has enqueued is marked."""

OFFERED: dict[str, Any] = {**ENQUEUED, "colors": [ACCENT], "stroke": ACCENT, "stroke_width": 2}
"""How a point is marked that may be enqueued: as the trial that it becomes."""

SOLID: dict[str, Any] = {"opacities": [0.8], "stroke_width": 0, "rgb": (0x3B, 0x78, 0xC4)}
"""How a completed trial is drawn; ``rgb`` is that colour in a picture; the style sheet changes it for a dark theme."""

FAINT: dict[str, Any] = {"opacities": [0.4], "stroke_width": 0, "rgb": (0x3B, 0x78, 0xC4)}
"""How one outside the present ranges is drawn."""

HOLLOW: dict[str, Any] = {
    "marker": "diamond",
    "colors": [SURFACE],  # without a fill only the outline would hear a click
    "stroke": DOT,
    "stroke_width": 1.5,
    "rgb": (0x3B, 0x78, 0xC4),
}
"""How a pruned or aborted trial is drawn."""

RUNNING: dict[str, Any] = {
    "marker": "circle",
    "colors": [SURFACE],
    "stroke": DOT,
    "stroke_width": 1.5,
}
"""How the value so far of a running trial is drawn."""

CROSS: dict[str, Any] = {
    "marker": "crosshair",
    "colors": [BAD],
    "stroke": BAD,
    "stroke_width": 2,
    "rgb": (0xB3, 0x26, 0x1E),
}
"""How a failed trial is drawn."""


def hollow(chosen: TrialFilter) -> str:
    """Return what a legend calls the hollow trials of a plot with a filter: ``pruned or aborted`` without one."""
    usual = (TrialState.PRUNED.label, TrialState.ABORTED.label)
    drawn = [label for label in (*usual, TrialState.LEFT_OUT.label) if label in (chosen.states or usual)]
    return " or ".join(drawn)


# Trials of a plot, and with what share of their opacity they are drawn: many, one over the other, still differ.
_FADING = ((10_000, 0.3), (3_000, 0.5), (500, 0.75))


def fading(num_trials: int) -> float:
    """Return the share of its opacity with which each of so many trials is drawn."""
    return next((share for least, share in _FADING if num_trials >= least), 1.0)


def empty(kind: Callable[..., Any], scales: Mapping[str, Any], **traits: Any) -> Any:
    """Return a mark without points.

    Parameters
    ----------
    kind
        The class of bqplot.
    scales
        Its scales, whose ends it leaves alone.
    **traits
        How it looks.

    Returns
    -------
    bqplot.Mark
        The mark.
    """
    return kind(**{"x": NONE, "y": NONE, "scales": dict(scales), "preserve_domain": FIXED, **traits})


def broken_line(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return several lines of k points each as one with gaps, which does not end in a gap: bqplot cannot draw that.

    Parameters
    ----------
    x, y
        Places of their points, shape (n, k).

    Returns
    -------
    tuple of array
        Across and up, with NaN between two lines.
    """
    gaps = ((0, 0), (0, 1))
    across, up = (np.pad(np.asarray(some, dtype=float), gaps, constant_values=np.nan).ravel()[:-1] for some in (x, y))
    return across, up


def vertical_lines(at: Floats) -> tuple[Floats, Floats]:
    """Return lines over the whole height, from 0 to 1, as `broken_line` does."""
    return broken_line(np.repeat(at[:, None], 2, axis=1), np.tile([0.0, 1.0], (len(at), 1)))


def put(mark: Mark, x: Floats | Any, y: Floats | Any) -> None:
    """Set both coordinates in one message: one by one, a view would draw the shorter length.

    Parameters
    ----------
    mark
        The mark.
    x, y
        Places of its points, of the same shape.
    """
    with mark.hold_sync():
        mark.x, mark.y = x, y


def put_changed(mark: Mark, x: Floats | Any, y: Floats | Any, names: Any = None) -> None:
    """Set coordinates, and names of points, when they are other ones.

    Parameters
    ----------
    mark
        The mark.
    x, y
        Places of its points, of the same shape.
    names
        What a click and a tooltip say of each: others may lie in the same places. Default: nothing.
    """
    is_same = np.array_equal(mark.x, x, equal_nan=True) and np.array_equal(mark.y, y, equal_nan=True)
    if is_same and (names is None or len(x) == 0 or np.array_equal(mark.names, names)):
        return
    with mark.hold_sync():
        if names is not None:
            mark.names = names
        put(mark, x, y)


def put_labels(mark: Mark, labels: Sequence[tuple[float, float, str]]) -> None:
    """Write words when they are other ones, or at other places.

    Parameters
    ----------
    mark
        The labels of bqplot.
    labels
        Places across and up, and words.
    """
    x, y = (np.array([label[index] for label in labels], dtype=float) for index in range(2))
    words = [word for *_, word in labels]
    if list(mark.text) != words or not np.array_equal(mark.x, x) or not np.array_equal(mark.y, y):
        with mark.hold_sync():
            mark.x, mark.y, mark.text = x, y, np.array(words, dtype=str)


class Picture(Image):
    """An image mark whose picture changes.

    A browser draws it again for another image widget only. Two of them take turns: a page that is loaded at that moment
    asks for all widgets that there are, and would wait for ever for one that was closed before it was answered.
    """

    spare = Instance(ipywidgets.Image, allow_none=True, help="Shows the next picture; made when there is one.").tag(
        sync=True, **ipywidgets.widget_serialization
    )

    def __init__(self, png: bytes = b"", **traits: Any) -> None:
        image = ipywidgets.Image(value=png, format="png")
        # A place that is of use on a logarithmic axis too.
        super().__init__(**{"image": image, "x": [0.1, 1.0], "y": [0.1, 1.0], "preserve_domain": FIXED, **traits})

    def put(self, png: bytes, **traits: Any) -> None:
        """Show another picture.

        Parameters
        ----------
        png
            The picture.
        **traits
            Traits of the mark that change with it.
        """
        now = self.image
        following = self.spare or ipywidgets.Image(format="png", layout=now.layout)
        following.value = png
        with self.hold_sync():
            for name, value in {"image": following, "spare": now, **traits}.items():
                setattr(self, name, value)


@dataclass(frozen=True)
class FigureStyle:
    """Sizes of one kind of figure.

    Attributes
    ----------
    margins : mapping
        Room round the plot for the axes, in pixels: ``top``, ``bottom``, ``left``, ``right``.
    layout : mapping
        Traits of the figure's layout.
    font_size : str
        Size of the numbers along the axes.
    num_ticks : int
        About how many numbers are along the axis of values.
    label_offset : str
        Distance of the horizontal axis to its label.
    dot, cross, best : int
        Size of a trial, a failed trial and the mark of the best.
    lane_y, strip : float
        Where the lane's crosses are, as a share of the height, and its width in pixels.
    picture : tuple of int
        Width and height of the picture of the oldest trials.
    picture_bytes : int
        Its length at most.
    num_hot, num_in_chunk : int
        Points in a hot mark and in a frozen one at most.
    num_frozen : mapping
        Frozen marks by the group of their trials: ``outside``, ``partial``, ``inside``, as `TrialSeries` groups them.
    """

    margins: Mapping[str, int]
    layout: Mapping[str, str]
    font_size: str
    num_ticks: int
    label_offset: str
    dot: int
    cross: int
    best: int
    lane_y: float
    strip: float
    picture: tuple[int, int]
    picture_bytes: int
    num_hot: int
    num_in_chunk: int
    num_frozen: Mapping[str, int]


def legend(entries: Iterable[tuple[str, str, float, str, object]]) -> str:
    """Return a legend as HTML; no word of it may come from a search.

    An entry is sign, colour, opacity and words, and what is false where nothing of it is drawn: then it is left out.
    """
    spans = " ".join(
        f'<span><i style="color: {colour}; opacity: {opacity}">{sign}</i> {words}</span>'
        for sign, colour, opacity, words, is_drawn in entries
        if is_drawn
    )
    return f'<span class="hpo-key">{spans}</span>'
