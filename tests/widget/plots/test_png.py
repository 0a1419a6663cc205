"""The picture of many points is a PNG that others can read."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from hpo_widgets.widget.plots.png import disc_picture


def size_of(png):
    return tuple(int.from_bytes(png[start : start + 4], "big") for start in (16, 20))


def pixels(png):
    width, height = size_of(png)
    start = png.index(b"IDAT") + 4
    length = int.from_bytes(png[start - 8 : start - 4], "big")
    lines = np.frombuffer(zlib.decompress(png[start : start + length]), dtype=np.uint8).reshape(height, -1)
    return np.unpackbits(lines[:, 1:], axis=1)[:, :width]


def test_a_disc_is_drawn_at_each_point_from_the_left_and_from_the_bottom():
    png = disc_picture(np.array([0.25, 0.75]), np.array([0.1, 0.9]), width=40, height=20, radius=1, rgba=(1, 2, 3, 200))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    picture = pixels(png)
    assert picture[18, 10] == picture[2, 30] == 1
    assert picture[2, 10] == picture[18, 30] == 0


def test_points_outside_are_cut_off_and_points_at_the_edge_are_whole_inside():
    png = disc_picture(
        np.array([-0.5, 1.5, 1.0]), np.array([0.5, 0.5, 1.0]), width=40, height=20, radius=2, rgba=(1, 2, 3, 200)
    )
    picture = pixels(png)
    assert picture[0, 39] == 1
    assert picture[10].sum() == 0


def test_no_points_give_an_empty_picture():
    png = disc_picture(np.empty(0), np.empty(0), width=8, height=4, radius=2, rgba=(1, 2, 3, 200))
    assert pixels(png).sum() == 0


def test_a_picture_that_would_be_long_has_fewer_pixels():
    x, y = np.random.default_rng(0).random((2, 2000))
    x /= 2
    long = disc_picture(x, y, width=520, height=400, radius=6, rgba=(1, 2, 3, 200))
    short = disc_picture(x, y, width=520, height=400, radius=6, rgba=(1, 2, 3, 200), most_bytes=4000)
    assert len(short) <= 4000 < len(long)
    assert size_of(short)[0] < size_of(long)[0] == 520
    # It shows the same: each point, as large, and nothing beside.
    width, height = size_of(short)
    assert np.all(pixels(short)[((1 - y) * height).astype(int), (x * width).astype(int)])
    assert pixels(short).mean() == pytest.approx(pixels(long).mean(), rel=0.1)
    assert pixels(short)[:, width // 2 + 4 :].sum() == 0
