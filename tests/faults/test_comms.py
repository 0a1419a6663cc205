"""The connection to the page fails or is closed in mid-update: the search and the panel go on, and nothing is left."""

from __future__ import annotations

import random
import threading
from contextlib import suppress

import pytest

from hpo_widgets.trials import TrialState
from hpo_widgets.widget import OptimizerWidget
from tests.conftest import DEADLINE
from tests.faults import table
from tests.runs import finished
from tests.widget.conftest import RecordingComm, show, wire  # noqa: F401 -- fixtures


class BrokenConnectionError(OSError):
    """What a socket says that is gone."""


@pytest.mark.parametrize("way", ["fails", "is closed by the page"])
def test_a_comm_that_ends_in_mid_update_costs_neither_search_nor_panel(
    search,
    wire,  # noqa: F811 -- the fixture
    show,  # noqa: F811 -- the fixture
    monkeypatch,
    account,
    record,
    way,
):
    rng = random.Random(table.SEED)
    line = record(f"comm that {way}, in mid-update")
    published = RecordingComm.publish_msg

    def publish(self, msg_type, *arguments, **keywords):
        if msg_type == "comm_msg" and rng.random() < 0.3:
            line.tried += 1
            if way == "fails":
                raise BrokenConnectionError("the socket is closed")
            self.handle_close({"content": {"data": {}}})
        return published(self, msg_type, *arguments, **keywords)

    made = search(account.objective(), total_max_jobs=200, seed=table.SEED)
    panel = show(OptimizerWidget, made)
    monkeypatch.setattr(RecordingComm, "publish_msg", publish)
    finished(made, account.told)
    with suppress(BrokenConnectionError):
        panel._refresher.refresh(everything=True)
    assert line.tried
    monkeypatch.setattr(RecordingComm, "publish_msg", published)
    assert made.counts[TrialState.COMPLETED] == 200
    # The thread that failed to send is there for the next change.
    [thread] = [each for each in threading.enumerate() if each.name == f"hpo-widgets-refresher-{made.id}"]
    told = threading.Event()
    panel.observe(lambda change: change["new"] == 201 and told.set(), "num_trials")
    made.set_total_max_jobs(201)
    finished(made, account.told)
    assert told.wait(DEADLINE)
    panel._refresher.catch_up()
    # What a page gets that connects anew is what a new panel shows.
    anew = show(OptimizerWidget, made)
    assert panel._table.shown_rows(100) == anew._table.shown_rows(100)
    for each in (anew, panel):
        each.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    account.settle(line, made.journal_path)
    if way != "fails":  # which leaves plots that were made by half
        assert wire.num_open() == 0
