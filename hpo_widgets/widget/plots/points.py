"""Points that only become more, drawn so that one more point costs the same however many there are.

The newest are in a small "hot" mark, the only one that an update touches. When it is full, most of it
moves into a frozen mark; when all frozen marks are full, they are drawn into one picture below.
All marks exist from the beginning: a figure lays out everything again when its list of marks changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt
from bqplot import Image, Scatter

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.png import disc_picture
from hpo_widgets.widget.subshell import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bqplot import Mark, Scale

    from hpo_widgets.widget.plots.domain import Domain

HOT = 200
CHUNK = 1000
_KEPT_SHARE = 4
_RADIUS = 6

Floats = npt.NDArray[np.float64]


class GrowingPoints:
    """A cloud of points in bqplot marks.

    Parameters
    ----------
    scales
        Scales of the marks, ``x`` and ``y``.
    num_frozen
        Number of frozen marks of 1,000 points each, before the picture takes over.
    rgba
        Colour of the points in the picture, about that of the marks in both themes.
    num_hot, num_in_chunk
        Points in the hot mark and in a frozen one at most.
    size
        Width and height of the picture in pixels.
    on_click
        Called with what a click on a point says: a dictionary with ``x``, ``y`` and, for points that
        have names, ``name``; or with ``click_x`` and ``click_y`` for a click on the picture.
    traits
        Further traits of the Scatter marks.
    """

    def __init__(
        self,
        scales: Mapping[str, Scale],
        *,
        num_frozen: int,
        rgba: tuple[int, int, int, int],
        num_hot: int = HOT,
        num_in_chunk: int = CHUNK,
        size: tuple[int, int] = (1280, 640),
        on_click: Callable[[Any], None] | None = None,
        **traits: Any,
    ) -> None:
        self._rgba = rgba
        self._num_hot, self._num_in_chunk, self._size = num_hot, num_in_chunk, size
        self._num_kept_hot = num_hot // _KEPT_SHARE
        self._names: npt.NDArray[Any] | None = None
        self._x = np.empty(0)
        self._y = np.empty(0)
        self._in_picture = 0
        self._frozen_to = 0
        self._picture = Image(
            image=_png(b""),
            scales=dict(scales),
            x=[0.1, 1.0],
            y=[0.1, 1.0],  # of use on a logarithmic axis too
            preserve_domain=style.FIXED,
            visible=False,
        )
        empty = {"x": np.empty(0), "y": np.empty(0)}
        traits = {"preserve_domain": style.FIXED, **traits}
        self._frozen = [Scatter(**empty, scales=dict(scales), **traits) for _ in range(num_frozen)]
        self._hot = Scatter(**empty, scales=dict(scales), **traits)
        self._domain: tuple[Domain, Domain] | None = None
        if on_click is not None:
            for mark in self.marks:
                hear_clicks(mark, on_click)

    @property
    def marks(self) -> list[Mark]:
        """All marks, from the bottom to the top; always the same ones."""
        return [self._picture, *self._frozen, self._hot]

    @property
    def hot(self) -> Scatter:
        """The mark of the newest points."""
        return self._hot

    def __len__(self) -> int:
        return len(self._x)

    def set_scales(self, scales: Mapping[str, Scale]) -> None:
        """Draw all marks in other scales."""
        for mark in self.marks:
            mark.scales = dict(scales)

    def set_domain(self, x: Domain, y: Domain) -> None:
        """Say where the axes end; the picture is drawn again when it has points and they moved."""
        if self._domain != (x, y):
            self._domain = (x, y)
            self._draw_picture()

    def extend(self, x: Floats, y: Floats, names: npt.NDArray[Any] | None = None) -> None:
        """Add points; they must be finite, and have names if the others have."""
        if len(x) == 0:
            return
        if names is not None:
            self._names = names if self._names is None else np.concatenate([self._names, names])
        self._x = np.concatenate([self._x, x])
        self._y = np.concatenate([self._y, y])
        self._roll()
        self._put(self._hot, self._frozen_to, len(self._x))

    def reset(self, x: Floats, y: Floats, names: npt.NDArray[Any] | None = None) -> None:
        """Show other points."""
        self._x, self._y, self._names = np.asarray(x, dtype=float), np.asarray(y, dtype=float), names
        # What does not fit into the marks, in whole capacities, goes into the picture.
        self._in_picture = max(0, len(self._x) - self._num_kept_hot) // self._capacity * self._capacity
        self._frozen_to = self._in_picture
        self._draw_picture()
        for mark in self._frozen:
            self._put(mark, 0, 0)
        self._roll()
        self._put(self._hot, self._frozen_to, len(self._x))

    @property
    def _capacity(self) -> int:
        return self._num_in_chunk * len(self._frozen)

    def _roll(self) -> None:
        """Move points out of the hot mark as long as it has too many."""
        while len(self._x) - self._frozen_to > self._num_hot:
            if self._frozen_to - self._in_picture == self._capacity:
                self._in_picture = self._frozen_to
                self._draw_picture()
                for mark in self._frozen:
                    self._put(mark, 0, 0)
            index, _ = divmod(self._frozen_to - self._in_picture, self._num_in_chunk)
            start = self._in_picture + index * self._num_in_chunk
            self._frozen_to = min(len(self._x) - self._num_kept_hot, start + self._num_in_chunk)
            self._put(self._frozen[index], start, self._frozen_to)

    def _put(self, mark: Scatter, start: int, end: int) -> None:
        """Give a mark copies of points; an empty one that stays empty is not touched."""
        if end == start and len(mark.x) == 0:
            return
        with mark.hold_sync():
            if self._names is not None:
                mark.names = self._names[start:end].copy()
            style.put(mark, self._x[start:end].copy(), self._y[start:end].copy())

    def _draw_picture(self) -> None:
        if self._domain is None or (self._in_picture == 0 and not self._picture.visible):
            return
        domain_x, domain_y = self._domain
        old = self._picture.image
        width, height = self._size
        value = disc_picture(
            domain_x.place(self._x[: self._in_picture]),
            domain_y.place(self._y[: self._in_picture]),
            width=width,
            height=height,
            radius=_RADIUS,
            rgba=self._rgba,
        )
        with self._picture.hold_sync():
            # The browser redraws for a new image widget only.
            self._picture.image = _png(value)
            self._picture.x = [domain_x.low, domain_x.high]
            self._picture.y = [domain_y.low, domain_y.high]
            self._picture.visible = self._in_picture > 0
        old.layout.close()
        old.close()


def hear_clicks(mark: Mark, on_click: Callable[[Any], None]) -> None:
    """Have ``on_click`` called with what a click on a point of the mark says, also while a cell runs."""
    act_while_cell_runs(mark)
    mark.on_element_click(lambda _mark, content: on_click(content.get("data")))


def _png(value: bytes) -> ipywidgets.Image:
    return ipywidgets.Image(value=value, format="png")
