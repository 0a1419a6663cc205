"""Points that only become more: all are somewhere, and an added one touches the hot mark alone."""

from __future__ import annotations

import numpy as np
import pytest
from bqplot import LinearScale

from hpo_widgets.widget.closing import close_tree
from hpo_widgets.widget.plots.domain import Domain
from hpo_widgets.widget.plots.points import CHUNK, HOT, GrowingPoints


@pytest.fixture
def points(wire):
    scales = {"x": LinearScale(min=0, max=1), "y": LinearScale(min=0, max=1)}
    made = GrowingPoints(scales, num_frozen=2, rgba=(1, 2, 3, 255))
    made.set_domain(Domain(0.0, 10_000.0), Domain(0.0, 1.0))
    yield made
    for mark in made.marks:
        close_tree(mark)


def in_marks(points):
    return np.concatenate([np.asarray(mark.x) for mark in points.marks[1:]])


@pytest.mark.parametrize("num_points", [0, 1, HOT, HOT + 1, CHUNK, 2 * CHUNK + HOT, 5000, 6123])
@pytest.mark.parametrize("at_once", [True, False])
def test_every_point_is_in_a_mark_or_in_the_picture(points, num_points, at_once):
    x, y = np.arange(num_points, dtype=float), np.linspace(0.1, 0.9, num_points)
    if at_once:
        points.reset(x, y)
    else:
        for part in np.array_split(np.arange(num_points), max(1, num_points // 37)):
            points.extend(x[part], y[part])
    drawn = in_marks(points)
    assert len(points) == num_points
    assert len(points.hot.x) <= HOT
    assert all(len(mark.x) <= CHUNK for mark in points.marks[1:])
    # What is not in a mark are the oldest, and they are in the picture.
    assert drawn.tolist() == x[num_points - len(drawn) :].tolist()
    assert points.marks[0].visible == (len(drawn) < num_points)


def test_one_more_point_touches_the_hot_mark_alone(points, wire):
    points.reset(np.arange(5000.0), np.full(5000, 0.5))
    points.extend(np.array([5000.0]), np.array([0.5]))
    wire.clear()
    points.extend(np.array([5001.0]), np.array([0.5]))
    assert wire.touched() == {points.hot.comm}
    assert wire.num_bytes() < 8000


def test_the_marks_stay_the_same_objects(points):
    before = points.marks
    points.reset(np.arange(5000.0), np.full(5000, 0.5))
    assert points.marks == before


def test_the_picture_is_drawn_again_when_the_axes_move_and_the_old_one_is_closed(points, wire):
    points.reset(np.arange(5000.0), np.full(5000, 0.5))
    num_open = wire.num_open()
    before = points.marks[0].image
    points.set_domain(Domain(0.0, 20_000.0), Domain(0.0, 1.0))
    assert points.marks[0].image is not before
    assert wire.num_open() == num_open


def test_other_points_replace_all(points):
    points.reset(np.arange(5000.0), np.full(5000, 0.5))
    points.reset(np.arange(3.0), np.full(3, 0.5))
    assert in_marks(points).tolist() == [0, 1, 2]
    assert not points.marks[0].visible
