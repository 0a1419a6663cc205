"""What is the same for every engine."""

from __future__ import annotations

from hpo_widgets.engines.base import default_concurrency


def test_the_default_concurrency_is_what_the_process_may_use(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 3, 5}, raising=False)
    assert default_concurrency() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert default_concurrency() == 1
