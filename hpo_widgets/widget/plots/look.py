"""The sizes in which figures of trials differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Look:
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
