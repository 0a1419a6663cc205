"""A picture of many points as a PNG of one colour in some opacities: NumPy and zlib are all it takes.

It looks as the points would one over the other: darker where there are more.
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

    Floats = npt.NDArray[np.float64]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Of the asked width and height, from fine to coarse.
_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)
# Points one over the other for which there is an opacity; one half is the edge of a point.
_LAYERS = np.array([0, 0.5, 1, 2, 3, 5, 8, 13, 21, 34])
_BITS = 4

SHAPES: dict[str, Callable[[Floats, Floats, float], Floats]] = {
    "circle": lambda x, y, radius: radius - np.hypot(x, y),
    # An outline of 1.5 pixels, and two lines of 2.
    "diamond": lambda x, y, radius: 0.75 - np.abs(np.abs(x) + np.abs(y) - 1.25 * radius) / math.sqrt(2),
    "crosshair": lambda x, y, radius: np.where(
        np.maximum(np.abs(x), np.abs(y)) <= radius, 1 - np.minimum(np.abs(x), np.abs(y)), -1.0
    ),
}
"""How far a place is inside of a point at 0, 0, by the name of its marker; below 0 it is outside."""


def points_picture(
    x: Floats,
    y: Floats,
    *,
    width: int,
    height: int,
    radius: float,
    rgb: tuple[int, int, int],
    opacity: float = 1.0,
    shape: str = "circle",
    most_bytes: int | None = None,
) -> bytes:
    """Draw points, one over the other.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Places from 0 to 1, from the left and from the bottom; others are cut off.
    width, height : int
        Pixels.
    radius : float
        Size of a point, in the same pixels.
    rgb : tuple of int
        Colour, 0 to 255.
    opacity : float
        Opacity of one point, 0 to 1.
    shape : str
        One of `SHAPES`.
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
    shares = np.where(_LAYERS < 1, opacity * _LAYERS, 1 - (1 - opacity) ** _LAYERS)
    palette = np.round(255 * shares).astype(np.uint8)
    for scale in _SCALES:
        layers = _layers(x, y, int(width * scale), int(height * scale), _stamp(shape, radius * scale))
        level = np.searchsorted((_LAYERS[1:] + _LAYERS[:-1]) / 2, layers).astype(np.uint8)
        picture = _encode(level, rgb, palette)
        if most_bytes is None or len(picture) <= most_bytes:
            break
    return picture


def _stamp(shape: str, radius: float) -> Floats:
    """Return how much of each pixel round its middle a point covers."""
    reach = math.ceil(1.5 * radius)
    down, right = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    stamp: Floats = np.clip(0.5 + SHAPES[shape](right, down, radius), 0, 1)
    return stamp


def _layers(x: Floats, y: Floats, width: int, height: int, stamp: Floats) -> Floats:
    """Return how many points cover each pixel; as costly for many points as for few."""
    column = np.minimum((x * width).astype(np.int64), width - 1)
    row = np.minimum((y * height).astype(np.int64), height - 1)
    reach = len(stamp) // 2
    count = np.bincount(row * width + column, minlength=width * height).reshape(height, width).astype(np.float32)
    padded = np.pad(count, reach)
    layers = np.zeros((height, width), dtype=np.float32)
    for (down, right), share in np.ndenumerate(stamp.astype(np.float32)):
        if share:
            layers += share * padded[down : down + height, right : right + width]
    return layers.astype(float)


def _encode(level: npt.NDArray[np.uint8], rgb: tuple[int, int, int], palette: npt.NDArray[np.uint8]) -> bytes:
    height, width = level.shape
    # Two pixels a byte; each line starts with its filter type, 0.
    pairs = np.pad(level, ((0, 0), (0, width % 2))).reshape(height, -1, 2)
    lines = np.zeros((height, pairs.shape[1] + 1), dtype=np.uint8)
    lines[:, 1:] = pairs[:, :, 0] << _BITS | pairs[:, :, 1]
    header = struct.pack(">IIBBBBB", width, height, _BITS, 3, 0, 0, 0)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes(rgb) * len(palette)),
            _chunk(b"tRNS", palette.tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
