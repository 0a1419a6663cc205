"""The space panel under a person's hand: rugs, suggestions, bad input, many parameters, two views."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.hand import drag, middle
from tests.browser.looks import assert_accessible, assert_looks_right, cut_off
from tests.browser.scripted import IMPORTS, commands, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = f"""{IMPORTS}
from IPython.display import display

search = ScriptedSearch(limits={{"dropout": (0.0, 0.8)}})
widget = SpacePanel(search)
display(widget)
display(widget)
"""


@pytest.fixture
def views(run_anew):
    """A new search in two views of one space panel, in the page that the tests of this module share."""
    shown = run_anew.page.locator(".jp-OutputArea .hpo-space")
    expect(shown).to_have_count(2)
    expect(shown.first.get_by_role("slider").first).to_be_visible()
    return shown.nth(0), shown.nth(1)


@pytest.fixture
def panel(views):
    return views[0]


def add(notebook, value, lr, **more):
    point = {"lr": lr, "dropout": 0.25, "layers": 3, "activation": "tanh"} | more
    notebook.kernel(f"search.add_trial({value!r}, {point!r})")


def test_the_rug_shows_what_was_tried_and_the_triangle_the_best(opened, panel):
    lr = panel.get_by_role("group", name="lr")
    rug = lr.get_by_role("img")
    expect(rug).to_have_attribute("aria-label", "Nothing tried yet")
    add(opened, 0.5, 1e-3)
    add(opened, 0.9, 1e-2)
    opened.kernel("search.add_trial(None, {'lr': 0.03, 'dropout': 0.1, 'layers': 1, 'activation': 'relu'},"
                  " state=TrialState.FAILED)")  # fmt: skip
    expect(rug).to_have_attribute("aria-label", re.compile(r"^Values tried; best trial #0 at 0\.001\."))
    best, worse, failed = (rug.locator(f"path.hpo-level-{level}") for level in (8, 3, 0))
    for path in (best, worse, failed):
        expect(path).to_have_count(1)
    rail = lr.locator(".hpo-rail").bounding_box()
    for drawn, place in [
        (best, 1 / 3),
        (worse, 2 / 3),
        (failed, (4 - 1.5229) / 3),
        (rug.locator(".hpo-rug-best"), 1 / 3),
    ]:
        assert middle(drawn)[0] == pytest.approx(rail["x"] + place * rail["width"], abs=2)
    # Told by size too.
    assert best.bounding_box()["height"] > worse.bounding_box()["height"] + 2
    expect(panel.get_by_role("checkbox", name="tanh, 2 trials, the best trial")).to_be_visible()
    expect(panel.get_by_role("checkbox", name="relu, 1 trial")).to_be_visible()


def test_an_area_shows_where_values_are_drawn(opened, panel):
    area = panel.get_by_role("group", name="dropout").locator(".hpo-samples path")
    rail = panel.get_by_role("group", name="dropout").locator(".hpo-rail")
    assert area.bounding_box()["width"] == pytest.approx(rail.bounding_box()["width"], abs=2)
    for _ in range(4):
        opened.kernel("[search.add_trial(0.5, {'lr': 0.01, 'dropout': 0.1, 'layers': 2, 'activation': 'relu'})"
                      " for _ in range(5)]")  # fmt: skip
    expect(panel.locator(".hpo-samples title").nth(1)).to_have_text(re.compile("drawn recently"))
    places, heights = zip(*HIGHER.findall(area.get_attribute("d")), strict=True)
    # Up is less: the place with the least is where most was drawn.
    assert float(places[heights.index(min(heights, key=float))]) == pytest.approx(200, abs=15)
    layers = panel.get_by_role("group", name="layers").locator(".hpo-samples path").get_attribute("d")
    humps = [float(height) for _, height in HIGHER.findall(layers)][::2]
    assert humps.index(min(humps)) == 1


HIGHER = re.compile(r"L(-?[\d.]+) ([\d.]+)")


def test_a_best_trial_near_an_end_offers_a_wider_range_that_can_be_undone(opened, panel):
    opened.kernel(
        "[search.add_trial(1 - n * 37 % 80 / 80, {'lr': 10 ** (n * 37 % 80 / 80 * 3 - 4), 'dropout': n % 7 / 14,"
        " 'layers': n % 5 + 1, 'activation': 'tanh'}) for n in range(80)] and None"
    )
    note = panel.get_by_role("note").filter(has_text="best trial is near the upper end of lr.")
    note.get_by_role("button", name="Widen to 0.3").click()
    ((name, ranges),) = wait_for_commands(opened)
    assert (name, ranges) == ("set_ranges", {"lr": [pytest.approx(1e-4), 0.3]})
    expect(note).to_be_hidden()
    expect(panel.get_by_role("textbox", name="lr, upper bound")).to_have_value("0.3")
    undo = panel.get_by_role("button", name="Undo the last change of ranges")
    expect(undo).to_have_attribute("title", "Undo: lr to 1e-4 … 0.1")
    undo.click()
    expect(panel.get_by_role("textbox", name="lr, upper bound")).to_have_value("0.1")
    expect(note).to_be_visible()
    expect(panel.get_by_role("button", name="Redo the change of ranges")).to_have_attribute(
        "title", "Redo: lr to 1e-4 … 0.3"
    )
    expect(panel.get_by_role("button", name="Reset all ranges to those of the start")).to_have_attribute(
        "title", "The ranges are those of the start."
    )


def test_what_is_being_typed_stays_while_trials_end_and_ranges_change(opened, panel):
    field = panel.get_by_role("textbox", name="lr, lower bound")
    field.click()
    field.press("Control+a")
    field.press_sequentially("0.0")
    opened.kernel("search.add_trials([0.5, 0.4])")
    opened.kernel("search.set_ranges({'lr': (0.0005, 0.05), 'layers': (2, 3)})")
    expect(panel.get_by_role("textbox", name="layers, lower bound")).to_have_value("2")
    field.press_sequentially("02")
    expect(field).to_have_value("0.002")
    field.press("Enter")
    assert wait_for_commands(opened) == [["set_ranges", {"lr": [0.002, 0.05]}]]


def test_a_range_is_typed_beyond_its_own_end_as_one_change(opened, panel):
    lower, upper = (panel.get_by_role("textbox", name=f"lr, {end} bound") for end in ("lower", "upper"))
    lower.fill("0.2")
    lower.press("Tab")
    expect(panel.get_by_role("alert").filter(has_text="must be below")).to_be_visible()
    upper.fill("0.5")
    upper.press("Enter")
    assert wait_for_commands(opened) == [["set_ranges", {"lr": [0.2, 0.5]}]]
    expect(lower).to_have_value("0.2")
    expect(panel.get_by_role("alert").filter(has_text="must be below")).to_be_hidden()


def test_what_changed_without_the_page_stays_where_something_else_is_changed(opened, panel):
    opened.kernel("widget._refresher.lock.acquire()")  # from now on the page hears of nothing
    try:
        opened.kernel("search.set_ranges({'lr': (0.0001, 0.05), 'activation': ('relu', 'tanh')})")
        field = panel.get_by_role("textbox", name="lr, lower bound")
        field.fill("0.002")
        field.press("Enter")
        panel.get_by_role("checkbox", name="relu").click()
        ((_, typed), (_, clicked)) = wait_for_commands(opened, 2)
    finally:
        opened.kernel("widget._refresher.lock.release()")
    assert (typed, clicked) == ({"lr": [0.002, 0.05]}, {"activation": ["tanh"]})
    expect(panel.get_by_role("textbox", name="lr, upper bound")).to_have_value("0.05")
    expect(panel.get_by_role("checkbox", name="logistic")).not_to_be_checked()


# One of each problem; bound_fields.test.mjs and range_control.test.mjs have more of them.
NO_BOUNDS = [
    ("layers, lower bound", "7", "must be below"),
    ("lr, upper bound", "<img src=x onerror=window.hit=1>", "Type a number"),
    ("lr, lower bound", "-1", "starts above 0"),
    ("dropout, lower bound", "-0.1", "limit is 0"),
    ("dropout, upper bound", "0.9", "limit is 0.8"),
    ("layers, upper bound", "3.5", "whole number"),
]


def test_bounds_that_make_no_sense_are_said_at_the_field_and_not_sent(opened, panel):
    for field, typed, problem in NO_BOUNDS:
        box = panel.get_by_role("textbox", name=field)
        before = box.input_value()
        box.fill(typed)
        box.press("Enter")
        said = panel.get_by_role("alert").filter(has_text=problem)
        expect(said, f"{typed!r} as {field}").to_be_visible()
        expect(box).to_have_attribute("aria-invalid", "true")
        # Nor does it vanish when trials end.
        opened.kernel("search.add_trial(0.5)")
        expect(said).to_be_visible()
        expect(box).to_have_value(typed)
        box.press("Escape")
        expect(box).to_have_value(before)
        expect(said).to_be_hidden()
        assert commands(opened) == []


def test_what_can_be_pressed_is_large_enough_for_a_finger(panel):
    small = panel.evaluate(
        """panel => [...panel.querySelectorAll('button, label, input:not([type=checkbox]), .hpo-track')]
             .filter(node => node.offsetParent && node.getBoundingClientRect().height < 24)
             .map(node => node.outerHTML)"""
    )
    assert small == []
    handle = panel.get_by_role("slider", name="lr, lower end")
    handle.scroll_into_view_if_needed()
    x, y = middle(handle)
    # A handle is found a little beside what is drawn of it.
    for dx, dy in [(-13, 0), (13, 0), (0, -13), (0, 13)]:
        hit = handle.evaluate("(handle, [x, y]) => document.elementFromPoint(x, y) === handle", [x + dx, y + dy])
        assert hit, (dx, dy)


@pytest.mark.slow
def test_a_parameter_is_dimmed_and_says_why_as_long_as_its_choice_is_excluded(notebook):
    notebook.show(
        f"""{IMPORTS}
search = ScriptedSearch([ParameterSet([
    {{"solver": "adam", "bias": DiscreteParameterRange("bias", [False, True])}},
    {{"solver": "sgd", "momentum": UniformParameterRange("momentum", 0, 1)}},
])])
widget = OptimizerWidget(search)
widget"""
    )
    panel = notebook.page.locator(".jp-OutputArea .hpo-space")
    momentum = panel.get_by_role("group", name="momentum")
    track = momentum.locator(".hpo-track")
    expect(momentum.locator(".hpo-needs")).to_have_text("only with solver sgd")
    expect(track).to_have_css("opacity", "1")
    sgd = panel.get_by_role("checkbox", name="sgd")
    sgd.uncheck()
    expect(momentum.locator(".hpo-needs")).to_have_text("not used now: only with solver sgd")
    expect(track).to_have_css("opacity", "0.4")
    assert_accessible(notebook, panel, "unused-parameter")
    assert_looks_right(panel)
    sgd.check()
    expect(momentum.locator(".hpo-needs")).to_have_text("only with solver sgd")
    expect(track).to_have_css("opacity", "1")


@pytest.mark.slow
def test_two_views_dragged_at_once_end_up_equal(opened, views):
    page = opened.page
    page.set_viewport_size({"width": 1400, "height": 1400})
    first, second = views
    touch = page.context.new_cdp_session(page)
    low, high = first.get_by_role("slider", name="lr, lower end"), second.get_by_role("slider", name="lr, lower end")
    drag(low, 60)
    held = middle(low)[0]
    # A finger drags the same handle in the other view, and lets go first.
    fx, fy = middle(high)
    points = [{"x": fx, "y": fy, "id": 1}]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": points})
    for step in (40, 80, 120):
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{**points[0], "x": fx + step}]})
    expect(second.locator("[data-dragged]")).to_have_count(1)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    opened.wait_kernel("len(search.commands) == 1")
    opened.wait_kernel("widget.answered > 0")
    assert middle(low)[0] == pytest.approx(held, abs=1)
    page.mouse.up()
    opened.wait_kernel("len(search.commands) == 2 and widget.ranges['lr'] == list(search.commands[1][1]['lr'])")
    ((_, by_finger), (_, by_mouse)) = commands(opened)
    assert by_finger["lr"][0] > by_mouse["lr"][0] > 1e-4
    for view in views:
        expect(view.get_by_role("slider", name="lr, lower end")).to_have_attribute(
            "aria-valuenow", str(by_mouse["lr"][0])
        )
    # Nothing answered an answer: what comes next is the next gesture.
    first.get_by_role("slider", name="layers, upper end").press("ArrowLeft")
    assert wait_for_commands(opened, 3)[2:] == [["set_ranges", {"layers": [1, 5]}]]


@pytest.mark.slow
def test_each_view_keeps_the_end_that_the_other_has_moved(opened, views):
    page = opened.page
    first, second = views
    drag(first.get_by_role("slider", name="lr, lower end"), 60)
    opened.kernel("search.set_ranges({'lr': (0.0001, 0.05)})")
    expect(second.get_by_role("textbox", name="lr, upper bound")).to_have_value("0.05")
    page.mouse.up()
    ((_, ranges),) = wait_for_commands(opened)
    assert ranges["lr"][0] > 1e-4
    assert ranges["lr"][1] == 0.05


@pytest.mark.slow
def test_two_hands_that_let_go_at_once_lose_neither_end(opened, views):
    """Before the search has answered the first of them."""
    page = opened.page
    page.set_viewport_size({"width": 1400, "height": 1400})
    first, second = views
    page.evaluate(KEEP_POINTERS)
    drag(first.get_by_role("slider", name="lr, lower end"), 60)
    touch = page.context.new_cdp_session(page)
    x, y = middle(second.get_by_role("slider", name="lr, upper end"))
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y, "id": 1}]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x - 50, "y": y, "id": 1}]})
    expect(page.locator("[data-dragged]")).to_have_count(2)
    page.evaluate(LET_GO)
    by_mouse, by_finger = (ranges["lr"] for _, ranges in wait_for_commands(opened, 2))
    page.mouse.up()
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert 1e-4 < by_mouse[0] < by_finger[1] < by_mouse[1] == 0.1
    assert by_finger[0] == by_mouse[0]
    opened.wait_kernel(f"list(search.space.ranges['lr']) == {by_finger}")
    for view in views:
        for end, bound in zip(("lower", "upper"), by_finger, strict=True):
            handle = view.get_by_role("slider", name=f"lr, {end} end")
            expect(handle).to_have_attribute("aria-valuenow", str(bound))
    assert len(commands(opened)) == 2


KEEP_POINTERS = """
() => {
  window.pressed = [];
  document.addEventListener('pointerdown', event => window.pressed.push([event.pointerId, event.target]), true);
}
"""
LET_GO = """
() => window.pressed.forEach(([pointerId, target]) =>
  target.dispatchEvent(new PointerEvent('pointerup', { pointerId, bubbles: true })))
"""
MANY = """
search = ScriptedSearch([LogUniformParameterRange(f"General/parameter {index}", -4, -1) for index in range(64)])
widget = OptimizerWidget(search)
search.command("start")
search.add_trials([1 + number / 100 for number in range(100)])
widget
"""


@pytest.mark.slow
def test_64_parameters_scroll_and_can_be_found(notebook):
    panel = notebook.show(IMPORTS + MANY)
    expect(panel.get_by_role("slider")).to_have_count(128)
    assert panel.locator(".hpo-space").bounding_box()["height"] < 800
    panel.get_by_role("slider", name="parameter 63, upper end").press("PageDown")
    notebook.wait_kernel("search.commands[-1][0] == 'set_ranges'")
    assert notebook.kernel("list(search.commands[-1][1])") == ["General/parameter 63"]
    panel.get_by_role("searchbox", name="Find a parameter by its name").fill("PARAMETER 17")
    expect(panel.locator(".hpo-space").get_by_role("group")).to_have_count(1)
    expect(panel.get_by_role("slider", name="parameter 17, upper end")).to_be_visible()
    panel.get_by_role("searchbox").fill("")
    notebook.screenshot("space-64", panel)


NAMES = [
    "<img src=x onerror=window.hit=1>",
    'it\'s "quoted" & ampersand',
    "\N{ROCKET}\N{ZERO WIDTH JOINER}\N{HEART WITH ARROW} emoji",
    "\u0645\u0639\u062f\u0644 \u05e7\u05e6\u05d1 (rtl)",
    "a/b/c//",
    "x" * 300,
]


@pytest.mark.slow
def test_any_name_and_choice_is_text_and_can_be_steered(notebook):
    notebook.show(
        IMPORTS
        + f"""
names = {NAMES!r}
choices = [*names, "</span><script>window.hit=1</script>"]
search = ScriptedSearch(
    [*(UniformParameterRange(name, 0.0, 10.0) for name in names), DiscreteParameterRange("c", choices)]
)
widget = OptimizerWidget(search)
# The objective falls towards the upper end of every parameter; enough trials lie in what is left of the ranges below.
for number in range(400):
    place = number * 37 % 400 / 399
    search.add_trial(1.0 - place / 2, {{**dict.fromkeys(names, 10.0 * place), "c": choices[0]}})
widget
"""
    )
    space = notebook.panel().locator(".hpo-space")
    expect(space.locator(".hpo-parameter-name")).to_have_count(len(NAMES) + 1)
    shown = space.locator(".hpo-parameter-name").evaluate_all("names => names.map(name => name.textContent)")
    assert shown == [*NAMES, "c"]
    for count, name in enumerate(NAMES, 1):
        field = space.get_by_role("textbox").nth(2 * count - 2)
        expect(field).to_have_attribute("aria-label", f"{name}, lower bound")
        field.fill(str(count))
        field.press("Enter")
        notebook.wait_kernel(f"len(search.commands) == {count}")
        assert notebook.kernel("list(search.commands[-1])") == ["set_ranges", {name: [count, 10.0]}]
    choices = space.get_by_role("group", name="c", exact=True)
    for box in choices.get_by_role("checkbox").all()[1:]:
        box.click()
    # One command of all clicks, or several of some each where a click comes late.
    notebook.wait_kernel(f"list(search.commands[-1][1].get('c', ())) == [{NAMES[0]!r}]")
    expect(space.get_by_role("note").filter(has_text="best trial is near the upper end").first).to_be_visible()
    notebook.page.set_viewport_size({"width": 1400, "height": 1400})
    notebook.screenshot("space-names", notebook.panel())
    assert cut_off(notebook.panel()) == []
    assert space.locator("img[src], script").count() == 0


@pytest.mark.slow
def test_long_names_of_a_point_are_whole_and_its_values_stand_beside_each_other(notebook):
    begin = "encoder_transformer_block_of_the"
    names = [f"{begin}_first_layer_learning_rate", f"{begin}_second_layer_learning_rate", "x"]
    space = f"[UniformParameterRange(name, 0.0, 10.0) for name in {names!r}]"
    notebook.show(f"{IMPORTS}\nsearch = ScriptedSearch({space})\nwidget = OptimizerWidget(search)\nwidget")
    panel = notebook.panel()
    panel.get_by_role("button", name="try a point").click()
    form = panel.get_by_role("form", name="Try this point")
    fields = [form.get_by_role("textbox", name=name, exact=True) for name in names]
    fields[0].fill("many")
    fields[0].press("Enter")
    expect(form.get_by_text("Type a number")).to_be_visible()
    labels = form.locator("label")
    assert labels.all_text_contents()[:3] == names
    assert labels.evaluate_all("all => all.filter(one => one.scrollWidth > one.clientWidth + 1)") == []
    tops = [field.bounding_box()["y"] for field in fields]
    assert max(tops) - min(tops) < 1
