"""The in-memory server answers every recorded exchange as the real one did."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from hpo_widgets.testing.clearml_server import ClearmlServer
from hpo_widgets.testing.clearml_server._api.documents import Clock
from tests.each import each
from tests.testing.clearml_server.replay import IDENTIFIER, TIME, Replay, flow, now

# The flows in the order in which they were recorded, with their numbers of exchanges. All but the last build on what
# those before them made, and are replayed on one server.
COUNTS = {
    "template": 16,
    "hpo_local": 31,
    "hpo_local_results": 13,
    "hpo_agent": 58,
    "hpo_agent_results": 13,
    "abort_agent": 42,
    "abort_local_stopped": 22,
    "abort_local_stop_request": 21,
    "failing_trial": 17,
    "archive": 13,
    "queue_dequeue_lifecycle": 31,
    "hpo_optuna": 31,
    "hpo_optuna_results": 14,
    "probe_errors": 155,
}
ALONE = "probe_errors"
EXCHANGES = {f"{name}-{exchange['seq']}": (name, exchange) for name in COUNTS for exchange in flow(name)}

# Texts of which no more is compared than that there is one: where they stand, and why.
OPAQUE = {
    "token": ("/data", "keys and ids of the server are in it; the recording has a placeholder"),
    "scroll_id": ("/data", "means nothing but to the server; the recording has a placeholder"),
    "ip": ("/data/workers/*", "the recording has a placeholder"),
    "key": ("/data/workers/*", "made of the worker's real name, for which the recording has a placeholder elsewhere"),
}
# What stood in for the store of events kept curves in double precision, which the real one does not.
CURVE = re.compile(r"/data/[^/]*/[^/]*/y/\*")
MILLISECONDS = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def comparable(value: Any, where: str = "") -> Any:
    """An answer with its times and opaque texts replaced by their names: no two servers agree on those."""
    if isinstance(value, dict):
        opaque = {name for name, item in value.items() if isinstance(item, str) and OPAQUE.get(name, ("",))[0] == where}
        return {
            name: f"some {name}" if name in opaque else comparable(item, f"{where}/{name}")
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [comparable(item, f"{where}/*") for item in value]
    if isinstance(value, str):
        return MILLISECONDS.sub("a time", TIME.sub("a time", value))
    if isinstance(value, float) and CURVE.fullmatch(where):
        return float(np.float32(value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return type(value).__name__, value  # 1 and 1.0 are not the same here
    return value


@pytest.fixture(scope="module")
def answers():
    with pytest.MonkeyPatch.context() as patch, ClearmlServer() as one, ClearmlServer() as other:
        patch.setattr(Clock, "now", lambda clock: now() + clock.skew)
        in_order, apart = Replay(one), Replay(other)
        found = {name: in_order.run(name) for name in COUNTS if name != ALONE}
        found[ALONE] = apart.run(ALONE)
        in_order.client.close()
        apart.client.close()
    return found


def test_all_exchanges_are_here():
    assert {name: len(flow(name)) for name in COUNTS} == COUNTS
    assert len(EXCHANGES) == 477


def test_an_exchange_is_answered_as_it_was(answers):
    def check(recording):
        name, exchange = recording
        recorded, answer = exchange["response"], answers[name][exchange["seq"]]
        assert answer.status == exchange["status"]
        if not isinstance(recorded, dict):
            assert answer.body == (recorded or "").encode()
            return
        # The id of an answer is new each time, and names the transaction when the request named none.
        for meta in (recorded["meta"], answer.body["meta"]):
            assert IDENTIFIER.fullmatch(meta["id"])
            assert meta["trx"] == meta["id"]
        assert comparable(answer.body) == comparable(recorded)

    each(EXCHANGES, check)
