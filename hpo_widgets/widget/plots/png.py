"""A picture of many points as a PNG of two colours, one of them none: NumPy and zlib are all it takes."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Of the asked width and height, from fine to coarse.
_SCALES = (1.0, 0.75, 0.5, 0.375, 0.25)


def disc_picture(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    *,
    width: int,
    height: int,
    radius: int,
    rgba: tuple[int, int, int, int],
    most_bytes: int | None = None,
) -> bytes:
    """Draw a disc at each point.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Places from 0 to 1, from the left and from the bottom; others are cut off.
    width, height, radius : int
        Pixels.
    rgba : tuple of int
        Colour and opacity, 0 to 255.
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
    for scale in _SCALES:
        picture = _encode(_discs(x, y, int(width * scale), int(height * scale), max(1, round(radius * scale))), rgba)
        if most_bytes is None or len(picture) <= most_bytes:
            break
    return picture


def _discs(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], width: int, height: int, radius: int
) -> npt.NDArray[np.bool_]:
    """Pixels that belong to a disc."""
    is_disc = np.zeros((height + 2 * radius, width + 2 * radius), dtype=np.bool_)
    column = np.minimum((x * width).astype(np.int64), width - 1) + radius
    row = np.minimum((y * height).astype(np.int64), height - 1) + radius
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if down * down + right * right <= radius * radius + 1:
                is_disc[row + down, column + right] = True
    return is_disc[radius : height + radius, radius : width + radius]


def _encode(is_disc: npt.NDArray[np.bool_], rgba: tuple[int, int, int, int]) -> bytes:
    height, width = is_disc.shape
    # Eight pixels a byte; each line starts with its filter type, 0.
    bits = np.packbits(is_disc, axis=1)
    lines = np.zeros((height, bits.shape[1] + 1), dtype=np.uint8)
    lines[:, 1:] = bits
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes([0, 0, 0, *rgba[:3]])),
            _chunk(b"tRNS", bytes([0, rgba[3]])),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
