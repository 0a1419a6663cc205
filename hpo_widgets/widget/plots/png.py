"""Pictures of many points as PNG: NumPy and zlib are all it takes.

Points of one colour look as they would one over the other: darker where there are more. Of coloured ones the one of
the highest level is on top.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

    from hpo_widgets.widget.plots.series import Floats

Levels = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Of the asked width and height, from fine to coarse.
_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
# Points one over the other for which there is an opacity; one half is the edge of a point.
_LAYERS = np.array([0, 0.5, 1, 2, 3, 5, 8, 13, 21, 34])
# Opacity of the edge of a coloured point, as a share of that of its middle.
_EDGE = 0.5
# Of a picture of lines: shades, and the opacities of the least and of the most lines through a pixel.
_SHADES, _LEAST_OPACITY, _MOST_OPACITY = 9, 0.1, 0.75
_FEW = 16


def _outline_of_triangle(x: Floats, y: Floats, radius: float) -> Floats:
    """How far a place is inside of the outline of a triangle as large as a circle; ``y`` is from the top."""
    apothem = 0.78 * radius
    return 0.75 - np.abs(np.minimum(apothem - y, apothem + y / 2 - 0.87 * np.abs(x)))


SHAPES: dict[str, Callable[[Floats, Floats, float], Floats]] = {
    "circle": lambda x, y, radius: radius - np.hypot(x, y),
    # An outline of 1.5 pixels, and two lines of 2.
    "diamond": lambda x, y, radius: 0.75 - np.abs(np.abs(x) + np.abs(y) - 1.25 * radius) / math.sqrt(2),
    "crosshair": lambda x, y, radius: np.where(
        np.maximum(np.abs(x), np.abs(y)) <= radius, 1 - np.minimum(np.abs(x), np.abs(y)), -1.0
    ),
    "triangle-up": _outline_of_triangle,
    "triangle-down": lambda x, y, radius: _outline_of_triangle(x, -y, radius),
}
"""How far a place is inside of a point at 0, 0, by the name of its marker; below 0 it is outside."""


def points_picture(
    x: Floats,
    y: Floats,
    *,
    width: int,
    height: int,
    radius: float,
    rgb: tuple[int, int, int] | Levels,
    levels: Levels | None = None,
    opacity: float = 1.0,
    shape: str = "circle",
    most_bytes: int | None = None,
) -> bytes:
    """Draw points, one over the other, or in the colours of their levels, those of high levels over those of low ones.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Places from 0 to 1, from the left and from the bottom; others are cut off.
    width, height : int
        Pixels.
    radius : float
        Size of a point, in the same pixels.
    rgb : tuple of int, or ndarray, shape (num_levels, 3)
        Colour, 0 to 255, or that of each level.
    levels : ndarray, shape (n,), optional
        Level of each point, an index of ``rgb``.
    opacity : float
        Opacity of one point, 0 to 1.
    shape : str
        One of `SHAPES`; with levels always a circle.
    most_bytes : int, optional
        Length of the file, where it can be kept: a longer picture is drawn again with fewer pixels,
        down to a quarter of the width.

    Returns
    -------
    bytes
        A PNG file, transparent where there is no point.
    """
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    x, y = x[inside], 1 - y[inside]
    if levels is None:
        shares = np.where(_LAYERS < 1, opacity * _LAYERS, 1 - (1 - opacity) ** _LAYERS)
        palette = _shades(rgb, shares)
    else:
        # Of those in one place the last one that is written stays.
        order = np.argsort(levels[inside], kind="stable")
        x, y, marks = x[order], y[order], levels[inside][order] + 1
        # Nothing, the middles of all levels, their edges.
        shares = np.repeat([0.0, opacity, _EDGE * opacity], [1, len(rgb), len(rgb)])
        palette = _shades(np.concatenate([rgb[:1], rgb, rgb]), shares)

    def draw(scale: float) -> Levels:
        size = int(width * scale), int(height * scale)
        if levels is None:
            layers = _layers(x, y, *size, _stamp(shape, radius * scale))
            return np.searchsorted((_LAYERS[1:] + _LAYERS[:-1]) / 2, layers).astype(np.uint8)
        places = np.zeros((size[1], size[0]), dtype=np.uint8)
        places[_pixels(x, y, *size)] = marks
        stamp = _stamp("circle", radius * scale)
        middle, whole = _spread(places, stamp > _EDGE), _spread(places, stamp > 0)
        return np.where(middle > 0, middle, np.where(whole > 0, whole + np.uint8(len(rgb)), whole))

    for scale in _SCALES:
        picture = indexed_picture(draw(scale), palette)
        if most_bytes is None or len(picture) <= most_bytes:
            break
    return picture


def density_picture(
    counts: npt.NDArray[np.int32], rgb: tuple[int, int, int], *, least_opacity: float = _LEAST_OPACITY
) -> bytes:
    """Draw how many lines run through each pixel: darker where there are more.

    Parameters
    ----------
    counts : ndarray, shape (height, width)
        The lines through each pixel, the upper ones first.
    rgb : tuple of int
        Colour, 0 to 255.
    least_opacity : float
        The opacity where one line runs.

    Returns
    -------
    bytes
        A PNG file, transparent where there is none.
    """
    drawn = counts[counts > 0]
    most = max(_FEW, float(np.quantile(drawn, 0.995))) if len(drawn) else _FEW
    level = np.searchsorted(np.geomspace(1, most, _SHADES), counts, side="right").astype(np.uint8)
    shares = np.array([0.0, *np.linspace(least_opacity, _MOST_OPACITY, _SHADES)])
    return indexed_picture(level, _shades(rgb, shares))


def few_colours_picture(pixels: npt.NDArray[np.uint8], most_colours: int = 256) -> bytes:
    """Return a drawing as a picture of few colours, about a third as long as one of all.

    Colours that are alike become one, however few pixels have them: the one mark of the best trial stays as it is.

    Parameters
    ----------
    pixels : ndarray, shape (height, width, 3)
        Red, green and blue of each pixel, from the top.
    most_colours : int
        Colours at most, from 8 to 256.

    Returns
    -------
    bytes
        A PNG file.
    """
    red, green, blue = (pixels[..., channel].astype(np.int32) for channel in range(3))
    for bits in (6, 5, 4, 3, 2, 1):  # which are 8 colours at most
        key = ((red >> 8 - bits) << bits | (green >> 8 - bits)) << bits | (blue >> 8 - bits)
        counts = np.bincount(key.ravel(), minlength=1 << 3 * bits)
        used = np.flatnonzero(counts)
        if len(used) <= most_colours:
            break
    sums = [np.bincount(key.ravel(), weights=one.ravel(), minlength=len(counts))[used] for one in (red, green, blue)]
    palette = np.column_stack([*(np.round(total / counts[used]) for total in sums), np.full(len(used), 255)])
    entries = np.zeros(len(counts), dtype=np.uint8)
    entries[used] = np.arange(len(used))
    return indexed_picture(entries[key], palette.astype(np.uint8))


def _shades(rgb: npt.ArrayLike, shares: Floats) -> Levels:
    """Return the palette of one colour in some opacities, or of as many colours."""
    colours = np.broadcast_to(np.asarray(rgb), (len(shares), 3))
    return np.column_stack([colours, np.round(255 * shares)]).astype(np.uint8)


def _spread(places: npt.NDArray[np.uint8], stamp: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return the greatest mark within a stamp round each pixel; as costly for many points as for few."""
    height, width = places.shape
    padded = np.pad(places, len(stamp) // 2)
    spread = np.zeros_like(places)
    for down, right in np.argwhere(stamp).tolist():
        np.maximum(spread, padded[down : down + height, right : right + width], out=spread)
    return spread


def _pixels(x: Floats, y: Floats, width: int, height: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return row and column of places from 0 to 1."""
    return np.minimum((y * height).astype(np.int64), height - 1), np.minimum((x * width).astype(np.int64), width - 1)


def _stamp(shape: str, radius: float) -> Floats:
    """Return how much of each pixel round its middle a point covers."""
    reach = math.ceil(1.5 * radius)
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    stamp: Floats = np.clip(0.5 + SHAPES[shape](right, down, radius), 0, 1)
    return stamp


def _layers(x: Floats, y: Floats, width: int, height: int, stamp: Floats) -> Floats:
    """Return how many points cover each pixel; as costly for many points as for few."""
    row, column = _pixels(x, y, width, height)
    reach = len(stamp) // 2
    count = np.bincount(row * width + column, minlength=width * height).reshape(height, width).astype(np.float32)
    padded = np.pad(count, reach)
    layers = np.zeros((height, width), dtype=np.float32)
    for (down, right), share in np.ndenumerate(stamp.astype(np.float32)):
        if share:
            layers += share * padded[down : down + height, right : right + width]
    return layers.astype(float)


def indexed_picture(index: npt.NDArray[np.uint8], palette: npt.NDArray[np.uint8]) -> bytes:
    """Return a picture of few colours.

    Parameters
    ----------
    index : ndarray, shape (height, width)
        For each pixel, from the top, which entry of the palette it has.
    palette : ndarray, shape (n, 4)
        Red, green, blue and opacity of each entry, 256 at most.

    Returns
    -------
    bytes
        A PNG file.
    """
    height, width = index.shape
    bits = 4 if len(palette) <= 16 else 8
    if bits == 4:  # two pixels a byte
        pairs = np.pad(index, ((0, 0), (0, width % 2))).reshape(height, -1, 2)
        index = (pairs[:, :, 0] << bits | pairs[:, :, 1]).astype(np.uint8)
    # Each line starts with its filter type, 0.
    lines = np.pad(index, ((0, 0), (1, 0)))
    header = struct.pack(">IIBBBBB", width, height, bits, 3, 0, 0, 0)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", palette[:, :3].tobytes()),
            _chunk(b"tRNS", palette[:, 3].tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
