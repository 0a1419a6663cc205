"""Points that only become more: all are somewhere, and an added one touches the hot mark alone."""

from __future__ import annotations

import numpy as np
import pytest
from bqplot import LinearScale, Scatter

from hpo_widgets.widget.parts.part import close_tree
from hpo_widgets.widget.plots import points as points_module
from hpo_widgets.widget.plots.axes import Domain
from hpo_widgets.widget.plots.history_figure import STYLE
from hpo_widgets.widget.plots.points import GrowingPoints, settle_one
from tests.widget.plots.test_png import size_of

HOT, CHUNK = STYLE.num_hot, STYLE.num_in_chunk


def made_points(num_frozen=2):
    scales = {"x": LinearScale(min=0, max=1), "y": LinearScale(min=0, max=1)}
    made = GrowingPoints(scales, STYLE, num_frozen=num_frozen, rgb=(1, 2, 3), name_points=lambda _x, numbers: numbers)
    made.set_domain((Domain(0.0, 10_000.0), Domain(0.0, 1.0)))
    return made


def put(points, x, y, **keywords):
    points.put(x, y, np.arange(len(x)), **keywords)


@pytest.fixture
def points(wire):
    made = made_points()
    yield made
    for mark in made.marks:
        close_tree(mark)


def in_marks(points):
    return np.concatenate([np.asarray(mark.x) for mark in points.marks if isinstance(mark, Scatter)])


@pytest.mark.parametrize("num_points", [0, 1, HOT, HOT + 1, CHUNK, 2 * CHUNK, 2 * CHUNK + HOT, 5000, 6123])
@pytest.mark.parametrize("at_once", [True, False])
def test_every_point_is_in_a_mark_or_in_the_picture(points, num_points, at_once):
    x, y = np.arange(num_points, dtype=float), np.linspace(0.1, 0.9, num_points)
    if at_once:
        put(points, x, y, is_new=True)
    else:
        for part in np.array_split(np.arange(num_points), max(1, num_points // 37)):
            put(points, x[part], y[part])
    drawn = in_marks(points)
    assert len(points) == num_points
    assert len(points.hot.x) <= HOT
    assert all(len(mark.x) <= CHUNK for mark in points.marks if isinstance(mark, Scatter))
    # What is not in a mark are the oldest, and they are in the picture.
    assert sorted(drawn.tolist()) == x[num_points - len(drawn) :].tolist()
    is_picture_seen = len(points.marks) > 1 and points.marks[0].visible
    assert is_picture_seen == (len(drawn) < num_points)


def test_points_that_one_frozen_mark_has_no_room_for_are_in_the_picture_from_the_first_drawing(wire):
    points = made_points(num_frozen=1)
    put(points, np.arange(CHUNK + 9.0), np.full(CHUNK + 9, 0.5), is_new=True)
    assert in_marks(points).tolist() == np.arange(CHUNK, CHUNK + 9.0).tolist()
    assert points.marks[0].visible
    for mark in points.marks:
        close_tree(mark)


def test_one_more_point_touches_the_hot_mark_alone(points, wire):
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    wire.clear()
    put(points, np.array([5001.0]), np.array([0.5]))
    assert wire.touched() == {points.hot.comm}
    assert wire.num_bytes() < 500


def test_settling_empties_the_hot_mark_one_piece_at_a_time(points, wire):
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    num_in_picture, pieces = 5000 - len(in_marks(points)), []
    for number in range(5000, 5000 + 3 * HOT):
        wire.clear()
        put(points, np.array([float(number)]), np.array([0.5]))
        settle_one([points], most_hot=20)
        pieces.append(len(wire.touched() - {points.hot.comm}))
        assert wire.num_bytes() < 16_000
        assert points.num_hot <= 22
    # Either one frozen mark, or the picture and its image, the mark that it takes over and the one that is the newest
    # no more.
    assert set(pieces) == {0, 1, 4}
    assert 5000 + 3 * HOT - len(in_marks(points)) > num_in_picture
    assert sorted(in_marks(points)) == list(range(5000 + 3 * HOT - len(in_marks(points)), 5000 + 3 * HOT))


def test_of_several_clouds_the_fullest_is_settled_and_only_one(wire):
    clouds = [made_points() for _ in range(3)]
    for cloud, num_points in zip(clouds, (5, 9, 7), strict=True):
        put(cloud, np.arange(float(num_points)), np.full(num_points, 0.5))
    settle_one(clouds, most_hot=20)
    assert [cloud.num_hot for cloud in clouds] == [5, 0, 7]
    settle_one(clouds, most_hot=20)
    assert [cloud.num_hot for cloud in clouds] == [5, 0, 7]
    settle_one([], most_hot=20)


def test_marks_for_many_points_are_made_once_when_there_are_many(wire):
    told = []
    scales = {"x": LinearScale(min=0, max=1), "y": LinearScale(min=0, max=1)}
    points = GrowingPoints(
        scales,
        STYLE,
        num_frozen=2,
        rgb=(1, 2, 3),
        name_points=lambda _x, numbers: numbers,
        on_marks=lambda: told.append(points.marks),
    )
    put(points, np.arange(float(HOT)), np.full(HOT, 0.5), is_new=True)
    assert points.marks == [points.hot]
    assert not told
    for number in range(HOT, 5000, 500):
        put(points, np.arange(number, number + 500.0), np.full(500, 0.5))
    put(points, np.arange(7.0), np.full(7, 0.5), is_new=True)
    assert told == [points.marks]
    assert len(points.marks) == 4
    assert points.marks[-1] is points.hot


def test_a_picture_goes_along_with_the_axes_and_is_drawn_again_later(points, wire):
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    num_open = wire.num_open()
    before = points.marks[0].image
    wire.clear()
    points.set_domain((Domain(0.0, 20_000.0), Domain(0.0, 1.0)))
    assert not wire.touched()
    # Its place is in values, so it is right all the same.
    assert list(points.marks[0].x) == [0, 10_000]
    settle_one([points], most_hot=HOT)
    assert points.marks[0].image is not before
    assert list(points.marks[0].x) == [0, 20_000]
    assert wire.num_open() == num_open
    wire.clear()
    settle_one([points], most_hot=HOT)
    assert not wire.touched()


def test_another_kind_of_axis_has_its_picture_at_once(points):
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    before = points.marks[0].image
    points.set_domain((Domain(0.0, 10_000.0), Domain(0.1, 1.0, is_log=True)))
    assert points.marks[0].image is not before
    assert list(points.marks[0].y) == [0.1, 1.0]


def test_many_points_are_fainter_in_marks_and_picture_alike(points, wire):
    points.fade(0.5)
    assert not points.is_stale  # nothing was drawn yet
    assert points.hot.opacities == [0.5]
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    before = points.marks[0].image
    wire.clear()
    points.fade(0.25)
    assert points.is_stale
    assert not wire.touched()
    settle_one([points], most_hot=HOT)
    assert points.hot.opacities == [0.25]
    assert points.marks[0].image is not before
    assert not points.is_stale


def test_marks_whose_points_are_in_the_picture_are_there_for_the_pointer_alone(points):
    seen = []
    for number in range(0, 4 * CHUNK, 10):
        put(points, np.arange(number, number + 10.0), np.full(10, 0.5))
        shown = [mark for mark in points.marks if isinstance(mark, Scatter) and mark.opacities == [1.0]]
        in_picture = points._in_picture
        # What is seen in a mark is not in the picture, and what is in neither is nowhere.
        seen.append(sorted(x for mark in shown for x in mark.x))
        assert seen[-1] == list(range(in_picture, number + 10))
    assert points.marks[0].visible
    assert len(in_marks(points)) > len(seen[-1])


def test_a_picture_is_drawn_for_the_size_of_its_plot(points):
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    points.set_size((400, 200))
    assert points.is_stale
    points.redraw()
    assert size_of(points.marks[0].image.value) == (400, 200)
    points.set_size((400, 200))
    assert not points.is_stale


def test_other_points_replace_all(points):
    put(points, np.arange(5000.0), np.full(5000, 0.5), is_new=True)
    put(points, np.arange(3.0), np.full(3, 0.5), is_new=True)
    assert in_marks(points).tolist() == [0, 1, 2]
    assert not points.marks[0].visible


def test_very_many_points_at_once_draw_the_picture_once(points, monkeypatch):
    pictures = []
    draw = points_module.points_picture

    def counted(*args, **kwargs):
        pictures.append(args)
        return draw(*args, **kwargs)

    monkeypatch.setattr(points_module, "points_picture", counted)
    put(points, np.linspace(0, 1, 20 * CHUNK), np.linspace(0, 1, 20 * CHUNK))
    assert len(points) == 20 * CHUNK
    assert len(pictures) == 1
