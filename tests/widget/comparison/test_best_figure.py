"""The figure of the best so far: axes, bands, labels, and its numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hpo_widgets.search.comparison import Band
from hpo_widgets.widget.comparison.best_figure import BestFigure, Line, spread
from hpo_widgets.widget.plots import style


def band(*levels, at=None, reach=0.0):
    median = np.array(levels, dtype=float)
    return Band(np.array(at or range(1, len(levels) + 1), dtype=float), median - reach, median, median + reach)


def drawn(*lines, **keywords):
    figure = BestFigure(len(lines), "loss", "the best so far", is_log=keywords.pop("is_log", None))
    figure.draw([Line(f"line {index}", line) for index, line in enumerate(lines)], by_minutes=False, **keywords)
    return figure


def test_competitors_differ_by_colour_dash_and_label():
    figure = drawn(*[band(4, 3)] * 4)
    looks = [(tuple(line.colors), line.line_style) for line in figure._lines]
    assert len({colour for colour, _ in looks}) == len({dash for _, dash in looks}) == 4
    assert figure._labels.text.tolist() == [f"line {index} 3" for index in range(4)]
    assert [sample.line_style for sample in figure._samples] == [dash for _, dash in looks]


def test_labels_of_long_names_that_begin_alike_differ_and_keep_their_values():
    figure = drawn(band(4, 0.00443), band(4, 0.0875))
    names = "optuna on the small data set", "optuna on the large data set"
    figure.draw(
        [Line(name, band(4, value)) for name, value in zip(names, (0.00443, 0.0875), strict=True)], by_minutes=False
    )
    first, second = figure._labels.text.tolist()
    assert first.endswith(" 0.00443")
    assert second.endswith(" 0.0875")
    assert first.split()[0] != second.split()[0]
    assert max(len(first), len(second)) <= 17


def test_the_dash_beside_a_label_is_as_long_however_wide_the_plot_is():
    figure = drawn(band(4, 3))
    lengths = []
    for width in (402, 1202):
        figure.set_width(width)
        figure.draw([Line("a", band(4, 3))], by_minutes=False)
        lengths.append(float(np.ptp(figure._samples[0].x)) * (width - 234))
    assert lengths == pytest.approx([22, 22])


def test_the_dash_ends_before_the_label_in_a_picture_that_is_wider_than_the_page_too():
    figure = drawn(band(4, 3))
    assert figure._labels.x_offset == 0  # which would be in pixels of another width
    assert figure._samples[0].x.max() < figure._labels.x[0]


def test_a_line_is_the_median_in_steps_and_a_band_is_closed_round_it():
    figure = drawn(band(4, 2, reach=1))
    assert figure._lines[0].x.tolist() == [1, 2, 2, 2]
    assert figure._lines[0].y.tolist() == [4, 4, 2, 2]
    assert figure._bands[0].y.tolist() == [3, 3, 1, 1, 3, 3, 5, 5]
    assert figure._bands[0].fill == "inside"


def test_the_axis_of_trials_goes_to_the_budget_and_is_marked_at_its_end():
    figure = drawn(band(4, 3, 2), end=49)
    assert figure.x.domain.high == 49
    assert figure.x.axis.tick_values.tolist()[0] == 1
    assert figure.x.axis.tick_values.tolist()[-1] == 49


def test_short_times_are_in_seconds_and_long_ones_in_minutes():
    figure = drawn(band(4, 3))
    figure.draw([Line("a", band(4, 3, at=[0.1, 0.5]))], by_minutes=True)
    assert (figure.x.axis.label, figure.x.domain.high) == ("seconds", 30)
    figure.draw([Line("a", band(4, 3, at=[1, 50]))], by_minutes=True)
    assert (figure.x.axis.label, figure.x.domain.high) == ("minutes", 50)


def test_the_axis_of_values_is_logarithmic_where_that_was_said_and_can_be():
    assert drawn(band(4, 3), is_log=True).y.domain.is_log
    assert not drawn(band(4, -3), is_log=True).y.domain.is_log
    assert not drawn(band(4, 3)).y.domain.is_log


def test_a_figure_can_be_drawn_before_there_is_anything():
    figure = drawn(band(), band())
    assert figure._labels.text.tolist() == []
    assert figure._lines[0].x.tolist() == style.NONE.tolist()


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([0.1, 0.5, 0.9], [0.1, 0.5, 0.9]),
        ([0.5, 0.5], [0.45, 0.55]),
        ([0.52, 0.5, 0.9], [0.56, 0.46, 0.9]),
        ([0.5, 0.55, 0.62], [0.456667, 0.556667, 0.656667]),
        ([], []),
    ],
)
def test_labels_are_moved_apart_and_no_further(places, expected):
    assert spread(np.array(places), 0.1).tolist() == pytest.approx(expected, abs=1e-6)
