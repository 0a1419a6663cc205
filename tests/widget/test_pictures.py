"""Pictures of plots: both formats, axes as the scales have them, colours, odd text, marks that cannot be drawn."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET

import bqplot
import ipywidgets
import numpy as np
import pytest
from matplotlib.image import imread, imsave

from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import CurvesPlot, OptimizerWidget, picture
from hpo_widgets.widget.pictures import small_picture


def figure(*marks, x=None, y=None, **axis):
    x, y = x or bqplot.LinearScale(min=0.0, max=1.0), y or bqplot.LinearScale(min=0.0, max=1.0)
    made = [kind(scales={"x": x, "y": y}, **traits) for kind, traits in marks]
    axes = [bqplot.Axis(scale=x, label="across", **axis), bqplot.Axis(scale=y, side="left", label="up")]
    return bqplot.Figure(marks=made, axes=axes)


def texts(shown):
    return texts_of(picture(shown, "svg"))


def texts_of(svg):
    assert ET.fromstring(svg).tag.endswith("svg")
    # matplotlib draws letters as paths and says in a comment what they are.
    return re.findall(r"<!-- (.*?) -->", svg.decode(), re.DOTALL)


def pixels(shown):
    return (imread(io.BytesIO(picture(shown)), format="png")[..., :3] * 255).round().astype(int)


def share_of(shown, rgb):
    return (np.abs(pixels(shown) - rgb).max(axis=-1) < 8).mean()


@pytest.mark.parametrize(
    "title",
    [
        "Map",
        *(
            pytest.param(title, marks=pytest.mark.slow)
            for title in ("History", "Slices", "Parallel", "Curves", "Importance", "Distribution", "Timeline")
        ),
    ],
)
def test_every_plot_of_a_panel_is_drawn_in_both_formats(show, search, title, refresh):
    for number in range(30):
        search.add_trial(0.1 + number / 30)
    search.add_trial(state=TrialState.FAILED, error="no")
    panel = show(OptimizerWidget, search, plots=[title])
    refresh(panel)
    assert panel.picture().startswith(b"\x89PNG")
    assert b"<svg" in panel.picture("svg")


def test_the_front_is_drawn(show, refresh):
    search = ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"])
    search.add_trial([0.5, 1.0])
    panel = show(OptimizerWidget, search)
    refresh(panel)
    assert len(panel.picture()) > 1000


def test_a_picture_of_slices_says_what_is_drawn_against_each_parameter(show, search, refresh):
    for number in range(4):
        search.add_trial(0.1 + number / 4)
    panel = show(OptimizerWidget, search, plots=["Slices"])
    refresh(panel)
    assert "validation / loss against each parameter; faint: outside the ranges" in texts_of(panel.picture("svg"))


def test_a_picture_of_curves_says_whose_they_are(show, search, refresh):
    search.add_trial(0.1)
    search.report(0, [0.5, 0.1])
    search.report(0, [0.4, 0.2], ("train", "loss"))
    plot = show(CurvesPlot, search)
    refresh(plot)
    assert "validation / loss of each trial over its iterations" in texts(plot)
    plot.scalar = "train/loss"
    assert "train / loss of each trial over its iterations" in texts(plot)


def test_a_picture_of_a_map_says_what_its_colours_mean(show, search, refresh):
    for number in range(4):
        search.add_trial(0.1 + number / 4, {"lr": 1e-3, "dropout": number / 10, "layers": 2, "activation": "tanh"})
    panel = show(OptimizerWidget, search, plots=["Map"])
    refresh(panel)
    written = texts_of(panel.picture("svg"))
    assert {"lower is better", "0.2", "0.4", "0.6", "0.8"} <= set(written)


def test_an_empty_search_has_a_picture(show, search):
    assert show(OptimizerWidget, search).picture().startswith(b"\x89PNG")


def test_a_picture_is_of_all_trials_though_the_plot_itself_waits_for_a_page(show, search, refresh, fall_silent):
    panel = show(OptimizerWidget, search)
    fall_silent(panel)
    before = panel.picture()
    search.add_trials([0.1, 0.9, 0.5])
    refresh(panel)
    assert panel.picture() != before


@pytest.mark.parametrize("tab", ["Map", "Importance", "Distribution"])
def test_a_picture_of_a_tab_that_is_not_in_front_is_of_all_trials(show, search, refresh, acknowledge, tab):
    search.command("start")
    values = [0.1 + number * 7 % 10 / 20 for number in range(30)]
    search.add_trials(values)
    panel = show(OptimizerWidget, search)
    acknowledge(panel)
    hidden = panel.plots[tab]
    before = picture(hidden)
    search.add_trials([one / 2 for one in values])
    refresh(panel)
    assert picture(hidden) != before
    assert panel._refresher.is_hidden(hidden)


def test_colours_are_those_that_serve_without_a_style_sheet():
    bar = (bqplot.Bars, {"x": [0.5], "y": [1.0], "colors": ["var(--hpo-bad, #b3261e)"]})
    assert share_of(figure(bar), (0xB3, 0x26, 0x1E)) > 0.02


def coloured(levels, **traits):
    """A figure with large points in colours of their levels, of which the third is red and the fourth green."""
    colours = ["#0000ff", "#0000ff", "#ff0000", "#00ff00", "#0000ff"]
    place = np.linspace(0.2, 0.8, len(levels))
    traits = {"x": place, "y": place, "color": np.array(levels), "default_size": 2000, "stroke_width": 0, **traits}
    shown = figure((bqplot.Scatter, traits))
    scale = bqplot.OrdinalColorScale(domain=list(range(len(colours))), colors=colours)
    shown.marks[0].scales = {**shown.marks[0].scales, "color": scale}
    return shown


def test_a_level_has_its_colour_whatever_other_levels_its_mark_has():
    both, one = coloured([2, 3]), coloured([3])
    assert share_of(both, (255, 0, 0)) == pytest.approx(share_of(both, (0, 255, 0)), rel=0.1)
    assert share_of(both, (255, 0, 0)) > 0.004
    assert share_of(one, (0, 255, 0)) == pytest.approx(share_of(both, (0, 255, 0)), rel=0.1)


def test_points_in_colours_of_their_values_have_the_opacity_of_their_mark():
    assert share_of(coloured([2], opacities=[0.5]), (255, 128, 128)) > 0.004
    assert np.array_equal(pixels(coloured([2], opacities=[0.0])), pixels(coloured([])))


def test_a_point_lies_where_its_scales_have_it():
    point = {"x": [10.0], "y": [0.5], "colors": ["#ff0000"], "default_size": 2000, "stroke_width": 0}
    shown = figure((bqplot.Scatter, point), x=bqplot.LogScale(min=1.0, max=1000.0))
    rows, columns = np.nonzero(np.abs(pixels(shown) - (255, 0, 0)).max(axis=-1) < 8)
    grid = figure((bqplot.Lines, {"x": [1.0, 1000.0], "y": [0.5, 0.5], "colors": ["#00ff00"]}),
                  x=bqplot.LogScale(min=1.0, max=1000.0))  # fmt: skip
    line_rows, line_columns = np.nonzero(np.abs(pixels(grid) - (0, 255, 0)).max(axis=-1) < 60)
    width = np.ptp(line_columns)
    assert (columns.mean() - line_columns.min()) / width == pytest.approx(1 / 3, abs=0.01)
    assert rows.mean() == pytest.approx(line_rows.mean(), abs=2)


def test_an_image_fills_its_corners_on_a_logarithmic_axis():
    file = io.BytesIO()
    imsave(file, np.full((2, 2, 3), (255, 0, 0), dtype=np.uint8), format="png")
    red = file.getvalue()
    image = {"image": ipywidgets.Image(value=red, format="png"), "x": [1.0, 10.0], "y": [0.0, 1.0]}
    shown = figure((bqplot.Image, image), x=bqplot.LogScale(min=1.0, max=100.0))
    whole = figure((bqplot.Image, {**image, "x": [1.0, 100.0]}), x=bqplot.LogScale(min=1.0, max=100.0))
    assert share_of(shown, (255, 0, 0)) == pytest.approx(share_of(whole, (255, 0, 0)) / 2, rel=0.05)


def test_a_label_beside_the_plot_is_written_unless_marks_are_cut_there():
    label = {"x": [1.1], "y": [0.5], "text": ["beside"]}
    assert "beside" in texts(figure((bqplot.Label, {**label, "apply_clip": False})))
    assert "beside" not in texts(figure((bqplot.Label, {**label, "apply_clip": True})))


def test_ticks_are_written_in_the_format_of_the_axis():
    line = (bqplot.Lines, {"x": [0.0, 1.0], "y": [0.0, 1.0]})
    assert "50%" in texts(figure(line, tick_values=[0.5], tick_format=".0%"))
    far = bqplot.LinearScale(min=100000.0, max=100001.0)
    assert "100000.2" in texts(figure(x=far, tick_values=[100000.2], tick_format=".7~g"))
    assert "relu" in texts(figure(line, tick_values=[0.0, 1.0], tick_labels={"0": "relu", "1": "tanh"}))
    assert {"across", "up"} <= set(texts(figure(line)))


def test_names_of_axes_have_room_in_a_picture_and_can_be_told_apart():
    names = [f"encoder_first_block_{name}_of_the_attention_before_the_first_update" for name in ("rate", "decay")]
    shown = figure((bqplot.Lines, {"x": [0.0, 1.0], "y": [0.0, 1.0]}))
    for axis, name in zip(shown.axes, names, strict=True):
        axis.label = name
    written = [words for words in texts(shown) if words.startswith("encoder")]
    assert len(set(written)) == 2
    assert all("…" in words and len(words) <= 46 for words in written)


@pytest.mark.parametrize(
    "words", ["$x_1$ \\frac", "<img src=x>", "a\nb", "شبكة", "\N{GRINNING FACE}", "x" * 300, "-->"]
)
def test_text_is_no_formula_and_no_markup(words):
    label = {"x": [0.5], "y": [0.5], "text": [words]}
    svg = picture(figure((bqplot.Label, label)), "svg")
    root = ET.fromstring(svg)
    assert not [node for node in root.iter() if node.tag.endswith("img")]
    assert picture(figure((bqplot.Label, label))).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "traits",
    [
        {"x": [], "y": []},
        {"x": [0.5], "y": [np.nan]},
        {"x": [1e300, -1e300, np.inf], "y": [0.1, 0.2, 0.3]},
        {"x": [0.1, 0.2, 0.3], "y": [0.5]},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [bqplot.Scatter, bqplot.Lines])
def test_odd_data_is_no_fault(kind, traits):
    assert picture(figure((kind, {**traits, "preserve_domain": {"x": True, "y": True}}))).startswith(b"\x89PNG")
    assert picture(figure((kind, traits), x=bqplot.LinearScale(), y=bqplot.LogScale())).startswith(b"\x89PNG")


def test_what_cannot_be_drawn_is_said():
    shown = bqplot.Figure(marks=[bqplot.Pie(sizes=[1, 2])])
    with pytest.raises(TypeError, match="cannot show a mark of the kind Pie, only Scatter"):
        picture(shown)
    with pytest.raises(ValueError, match="a picture is png or svg, got 'pdf'"):
        picture(shown, "pdf")
    with pytest.raises(ValueError, match="a Label has no figure to draw"):
        picture(ipywidgets.Label("x"))
    with pytest.raises(TypeError, match=r"a picture is of a widget, such as HistoryPlot\(optimizer\), got 3"):
        picture(3)


def test_axes_that_stand_at_values_of_another_have_lines_of_their_own():
    across, up = bqplot.LinearScale(min=0.0, max=2.0), bqplot.LinearScale(min=0.0, max=1.0)
    own = bqplot.LogScale(min=1e-4, max=0.1)
    axes = [
        bqplot.Axis(scale=up, side="left", offset={"scale": across, "value": 1}, label="dropout"),
        bqplot.Axis(scale=own, side="left", offset={"scale": across, "value": 2}, label="lr"),
    ]
    shown = bqplot.Figure(marks=[bqplot.Lines(x=[0, 1, 2], y=[0, 1, 0.5], scales={"x": across, "y": up})], axes=axes)
    assert {"dropout", "lr", "0.001"} <= set(texts(shown))


def small_pixels(shown, **keywords):
    return (imread(io.BytesIO(small_picture(shown, **keywords)), format="png")[..., :3] * 255).round().astype(int)


def test_a_small_picture_shows_the_same_in_fewer_bytes():
    marks = [(bqplot.Scatter, {"x": np.linspace(0, 1, 9), "y": np.linspace(0, 1, 9), "colors": ["#d97706"]})]
    shown = figure(*marks)
    assert np.abs(small_pixels(shown) - pixels(shown)).max() < 40
    assert len(small_picture(shown)) < 0.8 * len(picture(shown))


@pytest.mark.slow
def test_a_small_picture_that_would_be_long_has_half_of_the_width():
    many = np.random.default_rng(0).random((2, 3000))
    shown = figure((bqplot.Scatter, {"x": many[0], "y": many[1], "colors": ["#3b78c4"], "opacities": [0.2]}))
    full, half = small_pixels(shown, most_bytes=10**9), small_pixels(shown, most_bytes=60_000)
    assert (full.shape[0] // 2, full.shape[1] // 2) == half.shape[:2]
    assert len(small_picture(shown, most_bytes=60_000)) <= 60_000
    assert half.mean() == pytest.approx(full.mean(), abs=2)
