"""The details in a real JupyterLab: note and tags reach the kernel, curves are drawn, parameters are copied."""

from __future__ import annotations

import ast

import pytest
from playwright.sync_api import expect

from tests.browser.scripted import MARKUP, panel_of, wait_for_commands

pytestmark = pytest.mark.browser

PANEL = panel_of(
    then="""
class Curves:
    def scalars(self, number):
        return [("validation", "loss", 1 / (1 + at), at) for at in range(30)]
    def output(self, number):
        return "epoch 1", "", ""
    def page(self, number):
        return None

search.add_trials([0.5, 0.25, 0.75])
summary = {"validation/loss": [0.03, 29, 0.03, 29, 1.0, 0, 30]}
search._trials[:] = [replace(trial, source=Curves(), summary=summary) for trial in search._trials]
""",
    panel=", selected=[1]",
)


@pytest.fixture
def details(run_anew):
    """The details of trial 1."""
    shown = run_anew.panel().get_by_role("region", name="Details of trial 1")
    expect(shown).to_contain_text("completed")
    return shown


def test_a_note_and_tags_reach_the_kernel_and_come_back_as_text(opened, details):
    note = details.get_by_role("textbox", name="Note")
    note.fill(f"stable {MARKUP}")
    note.press("Escape")
    assert opened.kernel("widget.selected") == [1]
    expect(note).to_be_focused()
    tag = details.get_by_role("textbox", name="Add a tag")
    tag.click()
    wait_for_commands(opened, 1)
    assert opened.kernel("search.trial(1).note") == f"stable {MARKUP}"
    for word in ("baseline", MARKUP):
        tag.fill(word)
        tag.press("Enter")
        expect(details.get_by_role("button", name=f"Remove the tag {word}")).to_be_visible()
    assert opened.kernel("list(search.trial(1).tags)") == ["baseline", MARKUP]
    details.get_by_role("button", name=f"Remove the tag {MARKUP}").click()
    opened.wait_kernel("search.trial(1).tags == ('baseline',)")
    # What is typed belongs to its trial, whatever is selected meanwhile.
    note.fill("of trial 1")
    opened.kernel("setattr(widget, 'selected', [2])")
    opened.wait_kernel("search.trial(1).note == 'of trial 1'")
    assert opened.kernel("search.trial(2).note") == ""


@pytest.mark.slow
def test_scalars_with_long_names_and_values_fit_beside_the_plot(opened, details):
    opened.kernel("""[
        search._trials.__setitem__(1, replace(search._trials[1], summary={
            "validation set with a title that is long/" + "a_loss_whose_name_has_no_place_to_break_it" * 2:
                [0.0123456789, 29, -1.234567e-300, 29, 1.7e308, 0, 30],
        })), setattr(widget, 'selected', [0]), setattr(widget, 'selected', [1]),
    ] and None""")
    scalars = details.locator(".hpo-scalars")
    expect(scalars).to_contain_text("has_no_place")
    opened.screenshots_in_both_themes("details-long", scalars)
    widths = scalars.evaluate("section => [section.scrollWidth, section.clientWidth]")
    assert widths[0] == widths[1] < 420


BROKEN_WORDS = """
cells => cells.flatMap(cell => [...cell.childNodes]).filter(word => {
  const range = document.createRange();
  range.selectNodeContents(word);
  return word instanceof Text && range.getClientRects().length > 1;
}).map(word => word.textContent)
"""


@pytest.mark.slow
def test_beside_details_a_long_name_ends_its_lines_after_words_and_tabs_and_legend_are_whole(opened, details):
    name, value = "General/settings_of_the_optimizer/a_name_that_nobody_would_choose", "-1.4310262e-300"
    opened.kernel(f"setattr(widget._details, 'parameters', [[{name!r}, {value!r}]])")
    expect(details.get_by_role("rowheader", name=name)).to_be_visible()
    assert details.get_by_role("table", name="Parameters").locator("th, td").evaluate_all(BROKEN_WORDS) == []
    panel = opened.panel()
    opened.set_panel_width(1400)
    assert len({tab.bounding_box()["y"] for tab in panel.get_by_role("tab").all()}) == 1
    panel.get_by_role("tab", name="Parallel").click()
    opened.set_panel_width(1000)
    entry = panel.get_by_text("drag along an axis")
    expect(entry).to_be_visible()
    right, most = entry.evaluate(
        "node => [node, node.closest('.hpo-tabs-host')].map(one => one.getBoundingClientRect().right)"
    )
    assert right <= most
    opened.screenshots_in_both_themes("details-beside-parallel", panel)


@pytest.mark.slow
def test_the_result_is_told_curves_are_drawn_and_parameters_copied(opened, details, themes_and_widths):
    expect(details.locator(".hpo-details-result")).to_have_text("validation / loss 0.25")
    among = details.get_by_text("the last of 2 selected trials")
    expect(among).to_be_hidden()
    opened.kernel("setattr(widget, 'selected', [0, 1])")
    expect(among).to_be_visible()
    opened.screenshot("details-of-two", opened.panel())
    opened.kernel("setattr(widget, 'selected', [1])")
    expect(among).to_be_hidden()
    expect(details.locator(".hpo-curve path").first).to_have_attribute("d", "M0 0" + opened.kernel(
        "widget._details.curves[0].removeprefix('M0 0')"
    ))  # fmt: skip
    opened.kernel("[search.command('set_tags', 1, ['baseline', '3 seeds']), search.command('set_note', 1, 'Stable.')]")
    for name in themes_and_widths(1800):
        expect(details.get_by_role("button", name="Remove the tag baseline")).to_be_visible()
        opened.screenshot(f"details-{name}", opened.panel())
    opened.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with opened.longer(2000):  # for which the button says so
        details.get_by_role("button", name="Copy as dict").click()
        expect(details.get_by_role("button", name="Copied")).to_be_visible()
    copied = ast.literal_eval(opened.page.evaluate("() => navigator.clipboard.readText()"))
    assert copied == opened.kernel("dict(search.trial(1).parameters)")


MARK = """pre => {
  const at = pre.textContent.indexOf('line 60 ');
  const text = pre.firstChild;
  getSelection().setBaseAndExtent(text, at, text, at + 7);
  pre.scrollTop = 0;
  const range = getSelection().getRangeAt(0);
  pre.scrollTop = range.getBoundingClientRect().top - pre.getBoundingClientRect().top - 30;
}"""
MARKED = """pre => [
  getSelection().toString(),
  Math.round(getSelection().getRangeAt(0).getBoundingClientRect().top - pre.getBoundingClientRect().top),
]"""


@pytest.mark.slow
def test_what_is_marked_in_a_long_output_stays_marked_and_in_its_place_when_its_beginning_goes(opened, details):
    put = "setattr(widget._details, 'log', {head!r} + '\\n'.join(f'line {{n}} of the output' for n in range({rows})))"
    output = details.locator("pre", has_text="line")
    opened.kernel(put.format(head="", rows="0, 100"))
    expect(output).to_contain_text("line 99 ")
    output.evaluate(MARK)
    before = output.evaluate(MARKED)
    assert before[0] == "line 60"
    for first in (20, 30):
        opened.kernel(put.format(head="…\n", rows=f"{first}, {first + 100}"))
        expect(output).to_contain_text(f"line {first + 99} ")
        assert output.evaluate(MARKED) == before
    expect(output).to_have_text("\n".join(("…", *(f"line {n} of the output" for n in range(30, 130)))))
    # Without output there is none of its heading either.
    opened.kernel("setattr(widget._details, 'log', '')")
    expect(details.get_by_role("heading", name="Output")).to_be_hidden()


@pytest.mark.slow
def test_a_trial_is_left_out_and_taken_back_by_a_press_and_shows_pale_among_all(opened, details, themes_and_widths):
    panel = opened.panel()
    details.get_by_role("button", name="Leave out").press("Enter")
    expect(details).to_contain_text("left out")
    expect(panel).to_contain_text("best 0.5 at #0")
    opened.kernel("setattr(widget._table, 'shows_all', True)")
    row = panel.get_by_role("row").filter(has_text="#1")
    expect(row).to_have_class("hpo-left-out")
    expect(panel.get_by_role("button", name="1 left out")).to_be_visible()
    for name in themes_and_widths(1800):
        opened.screenshot(f"left-out-{name}", panel)
    opened.kernel("setattr(widget, 'filter', dict(states=['left out']))")
    expect(panel.get_by_role("button", name="left out", exact=True)).to_be_visible()
    opened.screenshots_in_both_themes("left-out-filtered", panel)
    opened.kernel("setattr(widget, 'filter', None)")
    opened.kernel("setattr(widget, 'selected', [])")
    panel.get_by_role("button", name="1 left out").click()
    details.get_by_role("button", name="Take back").click()
    expect(panel).to_contain_text("best 0.25 at #1")
    expect(row).not_to_have_class("hpo-left-out")
    assert opened.kernel("[command for command, *_ in search.commands]") == ["leave_out", "take_back"]
