"""The picture of many points is a PNG that others can read, and as dark as the points one over the other."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from hpo_widgets.widget.plots.png import (
    few_colours_picture,
    indexed_picture,
    points_picture,
)

COLOUR = {"rgb": (1, 2, 3)}


def size_of(png):
    return tuple(int.from_bytes(png[start : start + 4], "big") for start in (16, 20))


def chunk(png, kind):
    start = png.index(kind) + 4
    return png[start : start + int.from_bytes(png[start - 8 : start - 4], "big")]


def opacities(png):
    """The opacity of each pixel, 0 to 255."""
    width, height = size_of(png)
    lines = np.frombuffer(zlib.decompress(chunk(png, b"IDAT")), dtype=np.uint8).reshape(height, -1)[:, 1:]
    levels = np.stack([lines >> 4, lines & 15], axis=2).reshape(height, -1)[:, :width]
    return np.frombuffer(chunk(png, b"tRNS"), dtype=np.uint8)[levels].astype(int)


def test_a_disc_is_drawn_at_each_point_from_the_left_and_from_the_bottom():
    png = points_picture(np.array([0.26, 0.76]), np.array([0.09, 0.88]), width=40, height=20, radius=1, **COLOUR)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    picture = opacities(png)
    assert picture[18, 10] == picture[2, 30] == 255
    assert picture[2, 10] == picture[18, 30] == 0
    assert set(chunk(png, b"PLTE")) == {1, 2, 3}


def test_points_outside_are_cut_off_and_points_at_the_edge_are_whole_inside():
    png = points_picture(np.array([-0.5, 1.5, 1.0]), np.array([0.5, 0.5, 1.0]), width=40, height=20, radius=2, **COLOUR)
    picture = opacities(png)
    assert picture[0, 39] == 255
    assert picture[10].sum() == 0


@pytest.mark.parametrize("width", [8, 7])
def test_no_points_give_an_empty_picture(width):
    png = points_picture(np.empty(0), np.empty(0), width=width, height=4, radius=2, **COLOUR)
    assert opacities(png).sum() == 0
    assert opacities(png).shape == (4, width)


@pytest.mark.parametrize("num_points", [1, 2, 3, 8])
def test_points_over_each_other_are_as_dark_as_marks_over_each_other(num_points):
    middle = np.full(num_points, 0.5)
    png = points_picture(middle, middle, width=41, height=41, radius=4, opacity=0.16, **COLOUR)
    assert opacities(png)[20, 20] == pytest.approx(255 * (1 - (1 - 0.16) ** num_points), abs=1)


@pytest.mark.parametrize(
    ("shape", "middle", "arm", "area"),
    [
        ("circle", 255, 255, 3.14 * 64),
        ("diamond", 0, 0, 4 * 14.1 * 1.5),
        ("crosshair", 255, 255, 2 * 17 * 2),
        ("triangle-up", 0, 255, 6 * 6.24 * 1.73 * 1.5),
        ("triangle-down", 0, 255, 6 * 6.24 * 1.73 * 1.5),
    ],
)
def test_a_point_has_the_shape_of_its_marker(shape, middle, arm, area):
    png = points_picture(np.array([0.5]), np.array([0.5]), width=41, height=41, radius=8, shape=shape, **COLOUR)
    picture = opacities(png)
    assert (picture[20, 20], picture[20, 27]) == (middle, arm)
    assert picture.sum() / 255 == pytest.approx(area, rel=0.2)


def test_a_picture_that_would_be_long_has_fewer_pixels():
    x, y = np.random.default_rng(0).random((2, 2000))
    x /= 2
    long = points_picture(x, y, width=520, height=400, radius=6, **COLOUR)
    short = points_picture(x, y, width=520, height=400, radius=6, **COLOUR, most_bytes=4000)
    assert len(short) <= 4000 < len(long)
    assert size_of(short)[0] < size_of(long)[0] == 520
    # It shows the same: each point, as large, and nothing beside.
    width, height = size_of(short)
    assert np.all(opacities(short)[((1 - y) * height).astype(int), (x * width).astype(int)])
    assert opacities(short).mean() == pytest.approx(opacities(long).mean(), rel=0.1)
    assert opacities(short)[:, width // 2 + 4 :].sum() == 0


RAMP = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200]], dtype=np.uint8)


def coloured(x, y, levels, **keywords):
    given = {"width": 40, "height": 20, "radius": 2, **keywords}
    return points_picture(np.array(x), np.array(y), levels=np.array(levels, dtype=np.uint8), rgb=RAMP, **given)


def pixels(png):
    """Red, green, blue and opacity of each pixel of a picture of up to 16 colours."""
    width, height = size_of(png)
    lines = np.frombuffer(zlib.decompress(chunk(png, b"IDAT")), dtype=np.uint8).reshape(height, -1)[:, 1:]
    index = np.stack([lines >> 4, lines & 15], axis=2).reshape(height, -1)[:, :width]
    colours = np.frombuffer(chunk(png, b"PLTE"), dtype=np.uint8).reshape(-1, 3)
    return np.column_stack([colours, np.frombuffer(chunk(png, b"tRNS"), dtype=np.uint8)])[index]


def test_coloured_points_have_the_colours_of_their_levels():
    picture = pixels(coloured([0.26, 0.76], [0.09, 0.88], [0, 2], opacity=0.8))
    assert picture[18, 10].tolist() == [200, 0, 0, 204]
    assert picture[2, 30].tolist() == [0, 0, 200, 204]
    assert picture[2, 10, 3] == 0


def test_of_coloured_points_the_highest_level_is_on_top_whatever_comes_last():
    for levels in ([2, 0, 1], [0, 1, 2]):
        assert pixels(coloured([0.5] * 3, [0.5] * 3, levels))[10, 20].tolist() == [0, 0, 200, 255]


def test_no_coloured_points_give_an_empty_picture_and_those_outside_are_cut_off():
    assert not pixels(coloured([], [], []))[:, :, 3].any()
    assert not pixels(coloured([1.5, np.nan], [0.5, 0.5], [0, 1]))[:, :, 3].any()


def test_more_than_sixteen_colours_have_a_byte_each():
    palette = np.column_stack([np.arange(20)] * 3 + [np.full(20, 255)]).astype(np.uint8)
    png = indexed_picture(np.array([[0, 19, 7]], dtype=np.uint8), palette)
    assert np.frombuffer(zlib.decompress(chunk(png, b"IDAT")), dtype=np.uint8).tolist() == [0, 0, 19, 7]


def drawing(*spots):
    """A white drawing, with spots of (rows, columns, colour)."""
    pixels = np.full((40, 60, 3), 255, dtype=np.uint8)
    for rows, columns, colour in spots:
        pixels[rows, columns] = colour
    return pixels


def colours(png):
    """The colour of each pixel of a picture of one byte a pixel."""
    width, height = size_of(png)
    lines = np.frombuffer(zlib.decompress(chunk(png, b"IDAT")), dtype=np.uint8).reshape(height, width + 1)[:, 1:]
    return np.frombuffer(chunk(png, b"PLTE"), dtype=np.uint8).reshape(-1, 3)[lines]


def test_a_drawing_of_few_colours_keeps_each_however_rare():
    shades = [(slice(place, place + 1), slice(0, 50), (8 * place, 40, 200)) for place in range(30)]
    given = drawing(*shades, (slice(35, 36), slice(7, 8), (217, 119, 6)))
    assert np.array_equal(colours(few_colours_picture(given)), given)


def test_a_drawing_of_many_colours_keeps_what_is_alike_together():
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    for most in (256, 16):
        png = few_colours_picture(noise, most)
        assert len(chunk(png, b"PLTE")) <= 3 * most
    shown = colours(few_colours_picture(noise)).astype(int)
    assert np.abs(shown - noise).max() < 64
