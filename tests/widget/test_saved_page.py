"""Saved pages: what they hold. How a browser shows them: tests/browser/test_saved_page.py."""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING

import bqplot
import ipywidgets
import pytest

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget import saved_page as export
from hpo_widgets.widget.saved_page import STATE_MIME, VIEW_MIME, save_html, save_notebook_html, widget_states
from hpo_widgets.widget.sync.refresher import Refresher
from tests.conftest import DEADLINE
from tests.runs import X, identity

if TYPE_CHECKING:
    from pathlib import Path

    from nbformat import NotebookNode

NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--"


def figure(label: str = "trial") -> bqplot.Figure:
    x, y = bqplot.LinearScale(), bqplot.LogScale()
    dots = bqplot.Scatter(x=[0, 1, 2, 3], y=[1.0, 2.0, 5.0, 8.0], scales={"x": x, "y": y})
    axes = [bqplot.Axis(scale=x, label=label), bqplot.Axis(scale=y, orientation="vertical")]
    return bqplot.Figure(marks=[dots], axes=axes)


def state_in(path: Path) -> dict[str, object]:
    found = re.search(r'id="widget-state">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))["state"]


def notebook_with(widget: ipywidgets.Widget, *, states: bool = True) -> NotebookNode:
    """What nbclient leaves of a notebook whose only cell shows a widget."""
    import nbformat

    output = nbformat.v4.new_output("display_data", {VIEW_MIME: {"model_id": widget.model_id}})
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("widget", outputs=[output])])
    if states:
        state = ipywidgets.Widget.get_manager_state()["state"]
        notebook.metadata["widgets"] = {STATE_MIME: {"version_major": 2, "version_minor": 0, "state": state}}
    return notebook


def test_a_notebook_shows_a_saved_page_as_a_link(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    page = save_html(OptimizerWidget(ScriptedSearch()), tmp_path / "a <b> page.html")

    assert "<a href='a &lt;b&gt; page.html'" in page._repr_html_()


def test_a_page_holds_the_models_of_what_it_shows_and_no_others(tmp_path):
    other, shown = ipywidgets.IntSlider(), ipywidgets.HBox([ipywidgets.IntText(7)])

    saved = save_html(shown, tmp_path / "page.html")

    ids = set(state_in(saved.path))
    assert {shown.model_id, shown.children[0].model_id, shown.children[0].layout.model_id} <= ids
    assert other.model_id not in ids


def test_the_plots_of_a_page_have_their_numbers_and_those_of_the_kernel_stay_without(tmp_path):
    search = ScriptedSearch()
    search.add_trial(0.5)
    panel = OptimizerWidget(search, plots=["History", "Timeline"])

    saved = save_html(panel, tmp_path / "page.html")

    tables = {title: plot._numbers_table for title, plot in panel.plots.items()}
    for table in tables.values():
        state = state_in(saved.path)[table.model_id]["state"]
        assert [row[0] for row in state["rows"]] == ["#0"]
        assert state["is_open"] is False
        assert table.rows == []
    panel.close()


def test_a_page_shows_a_recorded_result_as_such(tmp_path):
    made = HyperParameterOptimizer(identity, [X], journal=tmp_path / "journals")
    made.add_trial({"x": 0.5}, 0.25)
    page = state_in(save_html(OptimizerWidget(made), tmp_path / "page.html").path)
    assert '"note": "recorded"' in json.dumps(page)


def test_a_page_is_of_one_moment_though_trials_end_while_it_is_made(tmp_path, monkeypatch):
    search = ScriptedSearch()
    panel = OptimizerWidget(search, plots=["History"])
    refresher, embedded = panel._refresher, ipywidgets.Widget._get_embed_state

    def end_a_trial():
        search.add_trial(0.5)
        if refresher.lock.acquire(blocking=False):  # who has to wait comes too late
            try:
                refresher.refresh(is_kept=True)
            finally:
                refresher.lock.release()

    def meanwhile(widget, **options):
        if widget is panel._status_panel or widget is panel._table:
            hand = threading.Thread(target=end_a_trial)
            hand.start()
            hand.join()
        return embedded(widget, **options)

    monkeypatch.setattr(ipywidgets.Widget, "_get_embed_state", meanwhile)
    states = state_in(save_html(panel, tmp_path / "page.html").path)
    status, table = (states[part.model_id]["state"] for part in (panel._status_panel, panel._table))
    panel.close()
    assert len(table["order"]) == sum(count["number"] for count in status["counts"]) > 0


class ToldLock:
    """A lock that tells when somebody asks for it."""

    def __init__(self, lock):
        self._lock = lock
        self.is_asked_for = threading.Event()

    def acquire(self, blocking=True, timeout=-1):
        self.is_asked_for.set()
        return self._lock.acquire(blocking, timeout)

    def release(self):
        self._lock.release()

    def __enter__(self):
        self.acquire()

    def __exit__(self, *_):
        self.release()


@pytest.mark.parametrize("order", [1, -1])
def test_panels_that_follow_each_other_are_saved_together(tmp_path, monkeypatch, order):
    monkeypatch.setattr(Refresher, "seconds_to_wait", lambda *_: None)
    panels = [OptimizerWidget(ScriptedSearch(name=name), plots=["History"]) for name in ("one", "other")]
    has_one, found = threading.Event(), []

    def follow(one, other):
        """As an observer of one panel that sets a trait of the other, while that one's thread is at work."""
        with one:
            one.is_asked_for.clear()
            has_one.set()
            one.is_asked_for.wait(DEADLINE)
            found.append(other.acquire(timeout=DEADLINE))
            other.release()

    with monkeypatch.context() as patch:
        for panel in panels:
            patch.setattr(panel._refresher, "lock", ToldLock(panel._refresher.lock))
        hand = threading.Thread(target=follow, args=[panel._refresher.lock for panel in panels][::order])
        hand.start()
        assert has_one.wait(DEADLINE)
        saved = save_html(panels, tmp_path / "page.html")
        hand.join()
    assert found == [True]
    assert {panel.model_id for panel in panels} <= set(state_in(saved.path))
    for panel in panels:
        panel.close()


def test_states_of_all_widgets_are_told_though_one_is_made_meanwhile(monkeypatch):
    shown, made, embedded = ipywidgets.Label(), [], ipywidgets.Widget._get_embed_state

    def meanwhile(widget, **options):
        if not made:
            made.append(ipywidgets.Label())
        return embedded(widget, **options)

    monkeypatch.setattr(ipywidgets.Widget, "_get_embed_state", meanwhile)
    assert shown.model_id in widget_states()["state"]


def test_nothing_in_the_states_ends_their_script_element(tmp_path):
    widget = ipywidgets.Text(value=NASTY, description="\u2028")

    saved = save_html(widget, tmp_path / "page.html", title=NASTY, note=NASTY)

    text = saved.path.read_text(encoding="utf-8")
    assert "alert(1)</script>" not in text
    assert "<img" not in text
    assert state_in(saved.path)[widget.model_id]["state"]["value"] == NASTY


def test_the_policy_of_a_page_lets_nothing_in(tmp_path):
    policies = [
        re.search(r'Content-Security-Policy" content="([^"]*)"', save_html(ipywidgets.Text(), path).path.read_text())
        for path in (tmp_path / "one.html", tmp_path / "two.html")
    ]

    one, two = [found.group(1) for found in policies if found]
    assert "default-src 'none'" in one
    assert "http" not in one
    assert "unsafe-eval" not in one
    assert one != two, "each page has a nonce of its own"


def test_the_size_report_adds_up(tmp_path):
    saved = save_html(figure(), tmp_path / "new" / "page.html")

    assert saved.size == saved.path.stat().st_size
    assert {"state", "manager", "bqplot", "bqscales", "page"} == set(saved.parts)
    assert "MB" in str(saved)


def test_a_page_is_written_to_the_home_folder_where_its_path_begins_there(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    page = save_html(figure(), "~/pages/search.html")
    assert page.path == tmp_path / "home" / "pages" / "search.html"
    assert page.path.is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["home"]


def test_a_page_may_have_a_name_that_begins_as_that_of_a_home_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert save_html(figure(), "~nobody-of-this-name.html").path.is_file()
    assert [one.name for one in tmp_path.iterdir()] == ["~nobody-of-this-name.html"]


def test_a_notebook_is_saved_with_the_states_in_its_metadata(tmp_path):
    widget = figure("epoch")

    saved = save_notebook_html(notebook_with(widget), tmp_path / "page.html")

    assert f'data-widget="{widget.model_id}"' in saved.path.read_text(encoding="utf-8")
    assert widget.axes[0].model_id in state_in(saved.path)


def test_a_notebook_without_states_raises(tmp_path):
    with pytest.raises(ValueError, match="has no widget to show: execute it"):
        save_notebook_html(notebook_with(figure(), states=False), tmp_path / "page.html")


@pytest.mark.parametrize("given", [3, None, "page.html", ["x"]])
def test_what_is_no_widget_is_refused_before_a_page_is_written(tmp_path, given):
    with pytest.raises(TypeError, match=r"a page shows widgets, such as OptimizerWidget\(optimizer\), got"):
        save_html(given, tmp_path / "page.html")
    assert not list(tmp_path.iterdir())


def test_a_widget_library_without_its_browser_half_raises(tmp_path):
    widget = ipywidgets.Text()
    widget._model_module = "no-such-library"

    with pytest.raises(FileNotFoundError, match=r"library 'no-such-library' was not found.*reinstall"):
        save_html(widget, tmp_path / "page.html")


def test_a_widget_library_is_found_where_the_python_of_a_system_installs_it(tmp_path, monkeypatch):
    """Debian's Python has another folder for what is installed than its prefix."""
    module = tmp_path / "share" / "jupyter" / "nbextensions" / "own-library"
    module.mkdir(parents=True)
    (module / "index.js").write_text("define([], () => 'own code');", encoding="utf-8")
    monkeypatch.setattr(export.sysconfig, "get_path", lambda *_: str(tmp_path))
    widget = ipywidgets.Text()
    widget._model_module = "own-library"
    page = save_html(widget, tmp_path / "page.html")
    assert "own code" in page.path.read_text(encoding="utf-8")


def test_a_front_end_that_is_not_built_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_STATIC", tmp_path)

    with pytest.raises(FileNotFoundError, match="build the front end"):
        save_html(ipywidgets.Text(), tmp_path / "page.html")


def test_commands_of_the_panel_are_refused_with_a_reason(tmp_path):
    panel = OptimizerWidget(ScriptedSearch())
    saved = save_html(panel, tmp_path / "page.html")
    panel.close()

    commands = [model["state"]["commands"] for model in state_in(saved.path).values() if "commands" in model["state"]]
    assert commands
    assert {reason for refused in commands for reason in refused.values()} == {
        "this is a saved page: nothing runs behind it"
    }
