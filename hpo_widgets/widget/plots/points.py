"""Points that only become more, drawn so that one more point costs the same however many there are.

The newest are in a small "hot" mark, the only one that an ordinary update touches. From time to time its
points move into a frozen mark, and when all of those are full into one picture below. Such a move is a
piece of work of some kilobytes; `settle_one` does one an update at most, however many clouds there are.
A frozen mark whose points are in the picture too is transparent: it is there for the pointer, as a picture
has no tooltips, and so nobody sees where the picture ends.
The frozen marks and the picture are made with the first move, all at once: a figure lays out everything again when its
list of marks changes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from bqplot import Scatter

from hpo_widgets.widget.plots import style
from hpo_widgets.widget.plots.png import Levels, points_picture
from hpo_widgets.widget.sync.flow import act_while_cell_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bqplot import Mark, Scale

    from hpo_widgets.widget.plots.axes import Domain
    from hpo_widgets.widget.plots.series import Floats, Numbers

_MOST_CHUNKS = 2


class GrowingPoints:
    """A cloud of points in bqplot marks.

    Parameters
    ----------
    scales
        Scales of the marks, ``x`` and ``y``, and ``color`` for the levels of coloured points.
    look
        How many points a mark has, and the size of the picture, where that fits into its ``picture_bytes``.
    num_frozen
        Number of frozen marks, before the picture takes over.
    rgb
        Colour of the points in the picture: that of the marks in the light theme. For coloured points one for each
        level, shape (num_levels, 3).
    name_points
        Makes the names of points in marks from their ``x`` and their numbers.
    on_click
        Called with what a click on a point says: a dictionary with ``x``, ``y`` and ``name``; or with ``click_x`` and
        ``click_y`` for a click on the picture.
    on_marks
        Called when there are more `marks` than before, once.
    traits
        Further traits of the Scatter marks.
    """

    def __init__(
        self,
        scales: Mapping[str, Scale],
        look: style.FigureStyle,
        *,
        num_frozen: int,
        rgb: tuple[int, int, int] | Levels,
        name_points: Callable[[Floats, Numbers], npt.NDArray[Any]],
        on_click: Callable[[Any], None] | None = None,
        on_marks: Callable[[], None] | None = None,
        **traits: Any,
    ) -> None:
        self._rgb = rgb
        self._look, self._size = look, look.picture
        self._name_points = name_points
        self._numbers: Numbers = np.empty(0, dtype=np.int64)
        self._levels: Levels | None = None
        self._x = np.empty(0)
        self._y = np.empty(0)
        self._in_picture = 0
        self._frozen_to = 0
        # Of each frozen mark in use, the oldest first, its first point; and which mark is the newest.
        self._starts: list[int] = []
        self._newest = -1
        # Most searches are shown before they have many points: the marks for those are made when they are needed.
        self._num_frozen, self._on_marks = num_frozen, on_marks
        self._picture: style.Picture | None = None
        self._frozen: list[Scatter] = []
        self._traits = {"x": np.empty(0), "y": np.empty(0), "preserve_domain": style.FIXED, **traits}
        self._hot = Scatter(scales=dict(scales), **self._traits)
        self._on_click = on_click
        self._domain: tuple[Domain, Domain] | None = None
        self._is_stale = self._has_frozen = False
        # Of the marks as they were made; fading is a share of it.
        self._opacity: float = self._hot.opacities[0] if self._hot.opacities else 1.0
        self._drawn_share = self._share = 1.0
        if on_click is not None:
            hear_clicks(self._hot, on_click)

    @property
    def marks(self) -> list[Mark]:
        """All marks, from the bottom to the top: at first the hot one alone."""
        return [*([] if self._picture is None else [self._picture]), *self._frozen, self._hot]

    def _make_marks(self) -> None:
        """Make the frozen marks and the picture, all at once, as a figure begins anew with each other set of marks."""
        scales = dict(self._hot.scales)
        self._picture = style.Picture(scales={name: scales[name] for name in ("x", "y")}, visible=False)
        traits = {**self._traits, "opacities": self._hot.opacities}
        self._frozen = [Scatter(scales=scales, **traits) for _ in range(self._num_frozen)]
        if self._on_click is not None:
            for mark in (self._picture, *self._frozen):
                hear_clicks(mark, self._on_click)
        if self._on_marks is not None:
            self._on_marks()

    @property
    def hot(self) -> Scatter:
        """The mark of the newest points."""
        return self._hot

    def __len__(self) -> int:
        return len(self._x)

    @property
    def num_hot(self) -> int:
        """Number of points in the hot mark."""
        return len(self._x) - self._frozen_to

    @property
    def is_stale(self) -> bool:
        """Whether points are in the right place, but stretched or of another opacity than they should be."""
        return self._is_stale or self._share != self._drawn_share

    def set_size(self, size: tuple[int, int]) -> None:
        """Take width and height of the plot in pixels: points in the picture are as large as those drawn one by one."""
        if self._size != size:
            self._size = size
            self._is_stale = self._in_picture > 0

    def fade(self, share: float) -> None:
        """Draw points with a share of their opacity, so that many together show where there are most.

        Those that are drawn already are for `redraw`.
        """
        self._share = share
        if len(self._x) == 0:
            self._redraw_marks()

    def set_domain(self, ends: tuple[Domain, Domain]) -> None:
        """Take the ends of both axes.

        A picture goes along, since it has its place in values; that it is stretched is for `redraw` to mend. On another
        kind of axis it would be wrong, and is drawn again.
        """
        if self._domain == ends:
            return
        before, self._domain = self._domain, ends
        if before is not None and [one.is_log for one in before] == [one.is_log for one in ends]:
            self._is_stale = self._in_picture > 0
        else:
            self._draw_picture()

    def put(
        self, x: Floats, y: Floats, numbers: Numbers, levels: Levels | None = None, *, is_new: bool = False
    ) -> None:
        """Add points, or show them in the place of those that are there.

        Parameters
        ----------
        x, y
            Their places, shape (n,), finite.
        numbers
            Numbers of their trials.
        levels
            Levels of coloured points.
        is_new
            Whether the points that are there go. Default False.
        """
        if len(x) == 0 and not is_new:
            return
        # Chunk by chunk the picture would be drawn again for each of very many.
        resets = is_new or len(x) > _MOST_CHUNKS * self._look.num_in_chunk
        if is_new:
            self._x, self._y, self._numbers, self._levels = self._x[:0], self._y[:0], self._numbers[:0], None
        self._numbers = np.concatenate([self._numbers, numbers])
        self._levels = levels if self._levels is None or levels is None else np.concatenate([self._levels, levels])
        self._x, self._y = np.concatenate([self._x, x]), np.concatenate([self._y, y])
        if resets:
            self._begin_anew()
        # When very many points come at once, the hot mark becomes small at once.
        while self.num_hot > self._look.num_hot:
            self._freeze()
            self._has_frozen = True
        self._put_hot()

    def _begin_anew(self) -> None:
        """Fill the frozen marks with the newest points; what they have no room for goes into the picture."""
        # The frozen marks begin with whole chunks.
        surplus = max(0, len(self._x) - self._look.num_in_chunk * self._num_frozen)
        self._starts.clear()
        self._frozen_to = -(-surplus // self._look.num_in_chunk) * self._look.num_in_chunk
        for mark in self._frozen:
            self._put(mark, 0, 0)
        # Where there is a picture, there is a mark of the points after it too.
        most_hot = 0 if self._frozen or surplus else self._look.num_hot
        while self.num_hot > most_hot:
            self._freeze_chunk()
        self._in_picture = self._starts[-1] if surplus else 0
        self.redraw()

    def take_work(self) -> bool:
        """Whether points have been frozen by `put` since this was asked last."""
        worked, self._has_frozen = self._has_frozen, False
        return worked

    def freeze(self) -> None:
        """Empty the hot mark into a frozen one; where the oldest of those has to make room, into the picture."""
        self._freeze()
        self._put_hot()

    def redraw(self) -> None:
        """Draw all again that is stale, for the axes and the opacity as they are now."""
        self._redraw_marks()
        self._draw_picture()

    def _redraw_marks(self) -> None:
        """Give all marks the opacity that they should have."""
        self._drawn_share = self._share
        for mark in (*self._frozen, self._hot):
            is_in_picture = self._in_picture > 0 and mark is not self._frozen[self._newest] and mark is not self._hot
            opacities = [0.0 if is_in_picture else self._opacity * self._share]
            if mark.opacities != opacities:
                mark.opacities = opacities

    def _freeze(self) -> None:
        """Move hot points into the newest frozen mark; when that is another one, all before it into the picture."""
        is_full = len(self._starts) == self._num_frozen
        if self._freeze_chunk() and (is_full or self._in_picture):
            self._in_picture = self._starts[-1]
            self.redraw()

    def _freeze_chunk(self) -> bool:
        """Move hot points into the newest frozen mark, or into the next one when they do not all fit: then True."""
        if not self._frozen:
            self._make_marks()
        is_next = not self._starts or len(self._x) - self._starts[-1] > self._look.num_in_chunk
        if is_next:
            self._starts.append(self._frozen_to)
            del self._starts[: -len(self._frozen)]
            self._newest = (self._newest + 1) % len(self._frozen)
        start = self._starts[-1]
        self._frozen_to = min(len(self._x), start + self._look.num_in_chunk)
        self._put(self._frozen[self._newest], start, self._frozen_to)
        return is_next

    def _put_hot(self) -> None:
        self._put(self._hot, self._frozen_to, len(self._x))

    def _put(self, mark: Scatter, start: int, end: int) -> None:
        """Give a mark copies of points; an empty one that stays empty is not touched."""
        if end == start and len(mark.x) == 0:
            return
        with mark.hold_sync():
            mark.names = self._name_points(self._x[start:end], self._numbers[start:end])
            if self._levels is not None:
                mark.color = self._levels[start:end].copy()
            style.put(mark, self._x[start:end].copy(), self._y[start:end].copy())

    def _draw_picture(self) -> None:
        self._is_stale = False
        if self._domain is None or self._picture is None or (self._in_picture == 0 and not self._picture.visible):
            return
        domain_x, domain_y = self._domain
        end = self._in_picture
        x, y = domain_x.place(self._x[:end]), domain_y.place(self._y[:end])
        value = points_picture(
            x,
            y,
            rgb=self._rgb,
            levels=None if self._levels is None else self._levels[:end],
            width=self._size[0],
            height=self._size[1],
            radius=math.sqrt(self._hot.default_size / math.pi),
            opacity=self._opacity * self._drawn_share,
            shape=self._hot.marker,
            most_bytes=self._look.picture_bytes,
        )
        self._picture.put(
            value,
            x=[domain_x.low, domain_x.high],
            y=[domain_y.low, domain_y.high],
            visible=end > 0,
        )


def settle_one(clouds: Sequence[GrowingPoints], most_hot: int) -> None:
    """Do at most one piece of work, where it is needed most; none where a cloud has done one by itself.

    Parameters
    ----------
    clouds
        All clouds of points of a plot.
    most_hot
        Number of points that may be in their hot marks together.
    """
    have_worked = [cloud.take_work() for cloud in clouds]
    if not clouds or any(have_worked):
        return
    stale = next((cloud for cloud in clouds if cloud.is_stale), None)
    fullest = max(clouds, key=lambda cloud: cloud.num_hot)
    # Full hot marks cost at each update, what is stale nothing.
    if sum(cloud.num_hot for cloud in clouds) > most_hot:
        fullest.freeze()
    elif stale is not None:
        stale.redraw()


def hear_clicks(mark: Mark, on_click: Callable[[Any], None]) -> None:
    """Have ``on_click`` called with what a click on a point of the mark says, also while a cell runs.

    Parameters
    ----------
    mark
        The mark.
    on_click
        Takes the data of the point.
    """
    act_while_cell_runs(mark)
    mark.on_element_click(lambda _mark, content: on_click(content.get("data")))


def place_of(said: object) -> tuple[float, float] | None:
    """Return where a click on a picture was, in values of its scales, as the page says it; None for nonsense."""
    try:
        x, y = float(said["click_x"]), float(said["click_y"])  # type: ignore[index]  # what has no such item raises
    except (KeyError, TypeError, ValueError):
        return None
    return (x, y) if np.isfinite(x) and np.isfinite(y) else None
