"""What a notebook keeps of a panel: words in the past tense, a small picture, all types together, markup as text."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest
from matplotlib.image import imread

from hpo_widgets import DiscreteParameterRange, UniformParameterRange
from hpo_widgets.search import StopReason
from hpo_widgets.testing import ScriptedSearch
from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget, Plot
from hpo_widgets.widget.parts import snapshot
from hpo_widgets.widget.parts.snapshot import MIME
from hpo_widgets.widget.saved_page import VIEW_MIME

NASTY = "</p><script>alert(1)</script><img src=x onerror=alert(2)>&\"'"
POINT = {"lr": 0.00856, "dropout": 0.195, "layers": 3, "activation": "relu"}


@pytest.fixture
def panel(show, search, refresh):
    return show(OptimizerWidget, search)


def test_an_output_has_the_live_view_and_what_hosts_without_it_show(panel, search):
    search.command("start")
    search.add_trials([0.5, 0.25])
    output = panel._repr_mimebundle_()
    assert set(output) == {VIEW_MIME, "text/plain", "text/html", "image/png", MIME}
    assert output[VIEW_MIME]["model_id"] == panel.model_id
    assert imread(io.BytesIO(base64.b64decode(output["image/png"])), format="png").shape[:2] == (840, 1520)
    assert output["image/png"] in output["text/html"]
    json.dumps(output, allow_nan=False)


def test_a_panel_that_is_closed_sends_its_last_picture(panel, search):
    comm = panel._snapshot.comm
    panel._repr_mimebundle_()
    search.command("start")
    search.add_trials([0.5, 0.25])
    panel.close()
    *_, last, close = comm.sent
    assert close["type"] == "comm_close"
    assert last["content"]["kind"] == "snapshot"
    assert last["content"]["data"][MIME]["did"] == "was running"
    assert last["content"]["data"]["image/png"]


def test_a_panel_that_no_output_has_sends_no_picture(panel, search, monkeypatch):
    monkeypatch.setattr(snapshot, "small_picture", lambda _plot: pytest.fail("a picture for nobody"))
    comm = panel._snapshot.comm
    search.command("start")
    search.add_trials([0.5, 0.25])
    panel.close()
    assert not any("content" in message for message in comm.sent)


def test_a_panel_that_cannot_be_pictured_is_closed(panel, search, monkeypatch, caplog):
    panel._repr_mimebundle_()
    monkeypatch.setattr(panel._snapshot, "data", lambda: 1 / 0)
    panel.close()
    assert panel.comm is None
    assert "keeps no picture" in caplog.text


def test_a_search_without_a_trial_that_has_ended_needs_no_picture(panel, search, monkeypatch):
    monkeypatch.setattr(snapshot, "small_picture", lambda _plot: pytest.fail("a picture of nothing"))
    search.command("start")
    search.add_trial(state=TrialState.RUNNING)
    output = panel._repr_mimebundle_()
    assert set(output) == {VIEW_MIME, "text/plain", "text/html", MIME}
    assert "<img" not in output["text/html"]


def test_words_are_in_the_past_tense(panel, search):
    assert "had not been started" in panel._repr_mimebundle_()["text/plain"]
    search.command("start")
    search.add_trial(0.5, POINT)
    search.add_trial(0.25, POINT)
    search.add_trial(state=TrialState.FAILED, error="ValueError: no")
    search.add_trial(state=TrialState.RUNNING)
    kept = panel._repr_mimebundle_()[MIME]
    assert kept["did"] == "was running"
    assert [one["text"] for one in kept["counts"]] == ["1 was running", "2 completed", "1 failed"]
    assert [one["is_bad"] for one in kept["counts"]] == [False, False, True]
    assert kept["budgets"][0] == {"name": "trials", "text": "3 of 200 done", "fraction": 3 / 200}
    assert kept["best"] == "best 0.25 at #1"
    assert kept["space"][0] == {"name": "lr", "range": "1e-4 … 0.1"}
    search.set_status("completed", StopReason("total_max_jobs", "All 200 trials were run."))
    kept = panel._repr_mimebundle_()[MIME]
    assert (kept["did"], kept["reason"]) == ("was complete", "All 200 trials were run.")
    assert re.search(
        r"was complete at \d{4}-\d\d-\d\d \d\d:\d\d; .*best 0.25 at #1", panel._repr_mimebundle_()["text/plain"]
    )


def test_the_table_is_kept_as_it_is_seen(panel, search, refresh):
    search.add_trials([number / 10 for number in range(9, 0, -1)])
    panel._table.hidden = ["dropout", "time"]
    refresh(panel)
    table = panel._repr_mimebundle_()[MIME]["table"]
    assert [one["label"] for one in table["columns"]] == [
        "trial", "validation / loss", "lr", "layers", "activation", "state",
    ]  # fmt: skip
    assert [row["cells"][:2] for row in table["rows"]] == [[f"#{8 - place}", f"0.{place + 1}"] for place in range(5)]
    assert [row["mark"] for row in table["rows"]] == ["best", "", "", "", ""]


def test_a_filter_is_told_beside_the_counts_of_all_trials(panel, search, refresh):
    search.add_trial(0.3)
    search.add_trial(state=TrialState.FAILED)
    assert panel._repr_mimebundle_()[MIME]["shown"] == ""
    panel.filter = {"states": ("failed",), "within": {"dropout": (0.0, 0.5)}}
    output = panel._repr_mimebundle_()
    assert output[MIME]["shown"] == "1 of 2 trials shown: failed, dropout 0 … 0.5"
    assert "<p>1 of 2 trials shown: failed, dropout 0 … 0.5.</p>" in output["text/html"]
    assert "1 completed, 1 failed" in output["text/html"]


def test_which_page_of_which_order_the_rows_are_is_told(panel, search):
    search.add_trials([1 / number for number in range(1, 61)])
    table = panel._table

    def caption():
        output = panel._repr_mimebundle_()
        words = output[MIME]["table"]["caption"]
        assert f"<p>{words}:</p><table>" in output["text/html"]
        return words

    assert caption() == "Best trials first, failed ones last"
    table.shows_all = True
    assert caption() == "All trials, newest first: rows 1–5 of 60"
    table.sorting = {"name": "lr", "is_descending": True}
    table.page = 2
    assert caption() == "All trials by lr, descending: rows 51–55 of 60"
    table.sorting = {"name": "lr", "is_descending": False}
    assert caption() == "All trials by lr, ascending: rows 51–55 of 60"


def test_of_several_objectives_nothing_is_called_the_best(show, refresh):
    panel = show(OptimizerWidget, ScriptedSearch(titles=["a", "b"], series=["x", "y"], signs=["min", "max"]))
    panel.search.add_trial([0.5, 2.0])
    panel.search.add_trial([0.4, 1.0])
    output = panel._repr_mimebundle_()
    assert output[MIME]["best"] == "2 trials on the front"
    assert output[MIME]["has_front"] is True
    assert [row["mark"] for row in output[MIME]["table"]["rows"]] == ["front", "front"]
    assert "best" not in output["text/plain"]


def test_what_was_kept_stays_as_it_is_while_nothing_changes(panel, search, monkeypatch):
    search.add_trials([0.5, 0.25])
    before = panel._repr_mimebundle_()
    monkeypatch.setattr(snapshot.time, "time", lambda: 2_000_000_000.0)
    assert panel._repr_mimebundle_() == before
    search.add_trial(0.1)
    after = panel._repr_mimebundle_()
    changed = {kind for kind in before if after[kind] != before[kind]}
    assert changed == {"text/plain", "text/html", "image/png", MIME}
    assert after[MIME]["at"] == 2_000_000_000.0


@pytest.mark.parametrize("names", ["one", pytest.param("many", marks=pytest.mark.slow)])
def test_markup_in_any_name_stays_text_and_the_snapshot_small(show, refresh, names):
    count = 1 if names == "one" else 100
    parameters = [UniformParameterRange(f"{NASTY}{place}" * 10, 0, 1) for place in range(count)]
    parameters.append(DiscreteParameterRange(NASTY, [NASTY * 40, "b"]))
    search = ScriptedSearch(parameters, name=NASTY * 100, titles=NASTY, series=NASTY * 50)
    search.add_trials([0.5, 0.25])
    search.set_status("stopped", StopReason("stopped", NASTY * 100))
    output = show(OptimizerWidget, search)._repr_mimebundle_()
    without_ours = re.sub(
        r"</?(div|p|table|thead|tbody|tr|th|td|pre|code)>|<img alt=\"[^\"<>]*\" width=\"760\" src=\"data:[^\"<>]*\">",
        "",
        output["text/html"],
    )
    assert "<" not in without_ours
    assert "&lt;script&gt;" in without_ours
    assert len(json.dumps(output[MIME])) < 30_000
    assert len(json.dumps(output)) < 300_000


PLOTS = ["History", *(pytest.param(one, marks=pytest.mark.slow) for one in ("Slices", "Parallel", "Map", "Timeline"))]


@pytest.mark.parametrize("title", PLOTS)
def test_a_snapshot_of_20000_trials_is_below_300_kb(show, refresh, title):
    search = ScriptedSearch()
    search.command("start")
    search.add_trials([1 / (1 + (7919 * number) % 20_011) for number in range(20_000)])
    panel = show(OptimizerWidget, search, plots=[title])
    assert len(json.dumps(panel._repr_mimebundle_())) < 300_000


def test_a_panel_that_cannot_be_pictured_is_shown(show, search, refresh, monkeypatch, caplog):
    class Broken(Plot):
        def make(self, _search):
            pass

        def contents(self):
            return []

        def refresh(self, _update):
            pass

    search.add_trial(0.5)
    output = show(OptimizerWidget, search, plots=[Broken])._repr_mimebundle_()
    assert output[VIEW_MIME]
    assert "image/png" not in output
    panel = show(OptimizerWidget, search)
    monkeypatch.setattr(panel._snapshot, "data", lambda: 1 / 0)
    assert panel._repr_mimebundle_()[VIEW_MIME]["model_id"] == panel.model_id
    assert "keeps no picture" in caplog.text


class Kept(ScriptedSearch):
    """A search that a journal keeps."""

    def opening_code(self):
        return f"# its function is <train>\nopens({self.status.value!r})"


def test_the_code_that_opens_the_search_again_is_kept_with_its_lines_once_there_is_a_journal(show, refresh):
    kept = Kept()
    panel = show(OptimizerWidget, kept)
    output = panel._repr_mimebundle_()
    assert output[MIME]["code"] == ""
    assert "To go on" not in output["text/html"]
    kept.command("start")
    kept.add_trial(0.5)
    output = panel._repr_mimebundle_()
    assert output[MIME]["code"] == "# its function is <train>\nopens('running')"
    says = "<pre><code># its function is &lt;train&gt;\nopens(&#x27;running&#x27;)</code></pre>"
    assert output["text/html"].endswith(f"<p>To continue:</p>{says}</div>")


def answers(wire, part):
    return [
        message["content"] for one, message in wire.messages() if one is part.comm and message.get("method") == "custom"
    ]


def test_a_page_that_asks_gets_all_types_of_this_moment(panel, search, wire):
    panel._repr_mimebundle_()
    search.add_trials([0.5, 0.25])
    wire.clear()
    wire.browser_says(panel._snapshot, kind="snapshot", id="a-1")
    (answer,) = answers(wire, panel._snapshot)
    assert (answer["kind"], answer["id"]) == ("snapshot", "a-1")
    assert set(answer["data"]) == {"text/plain", "text/html", "image/png", MIME}
    assert answer["data"][MIME]["best"] == "best 0.25 at #1"


def test_a_page_that_asks_for_nothing_in_particular_is_refused(panel, wire):
    wire.clear()
    wire.browser_says(panel._snapshot, kind="snapshot", id=7)
    assert answers(wire, panel._snapshot) == []
    assert any("picture" in notice.sentence for notice in panel._refresher.notices)


def test_no_picture_is_made_unless_somebody_asks(panel, search, refresh, monkeypatch):
    monkeypatch.setattr(snapshot, "small_picture", lambda _plot: pytest.fail("nobody asked"))
    search.command("start")
    for value in (0.5, 0.4, 0.3):
        search.add_trial(value)
        refresh(panel)
    search.set_status("completed", StopReason("total_max_jobs", "All trials were run."))
    refresh(panel)


def test_the_page_hears_of_the_end_after_all_else_has_been_shown(panel, search, refresh, wire):
    wire.clear()
    search.command("start")  # and it ends before the next update
    search.add_trial(0.5)
    search.set_status("completed", StopReason("total_max_jobs", "All trials were run."))
    refresh(panel)
    said = [
        (one, message["state"])
        for one, message in wire.messages()
        if message.get("method") == "update" and set(message["state"]) - {"sent"}
    ]
    (place,) = [place for place, (_one, state) in enumerate(said) if state.get("end")]
    others = [at for at, (one, _) in enumerate(said) if one in {panel._table.comm, panel._status_panel.comm}]
    assert max(others) < place


def test_in_a_page_ipython_shows_what_the_panel_gives(panel):
    with pytest.raises(NotImplementedError):
        panel._ipython_display_()


def test_an_output_that_a_page_shows_is_left_alone_at_the_end_of_a_cell(panel, search, acknowledge):
    search.add_trial(0.5)
    assert panel._unseen_output()[MIME]["best"] == "best 0.5 at #0"
    acknowledge(panel)
    search.add_trial(0.4)
    panel._refresher.refresh()
    assert panel._unseen_output() is None
