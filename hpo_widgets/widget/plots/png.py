"""A picture of many points as an 8-bit PNG with a palette: NumPy and zlib are all it takes."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def disc_picture(
    x: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    *,
    width: int,
    height: int,
    radius: int,
    rgba: tuple[int, int, int, int],
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

    Returns
    -------
    bytes
        A PNG file, transparent where there is no point.
    """
    indices = np.zeros((height + 2 * radius, width + 2 * radius), dtype=np.uint8)
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    column = np.minimum((x[inside] * width).astype(np.int64), width - 1) + radius
    row = np.minimum(((1 - y[inside]) * height).astype(np.int64), height - 1) + radius
    for down in range(-radius, radius + 1):
        for right in range(-radius, radius + 1):
            if down * down + right * right <= radius * radius + 1:
                indices[row + down, column + right] = 1
    return _encode(indices[radius : height + radius, radius : width + radius], [(0, 0, 0, 0), rgba])


def _encode(indices: npt.NDArray[np.uint8], palette: list[tuple[int, int, int, int]]) -> bytes:
    height, width = indices.shape
    # Each line starts with its filter type, 0.
    lines = np.zeros((height, width + 1), dtype=np.uint8)
    lines[:, 1:] = indices
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    colours = bytes(value for colour in palette for value in colour[:3])
    opacities = bytes(colour[3] for colour in palette)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colours),
            _chunk(b"tRNS", opacities),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 1)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
