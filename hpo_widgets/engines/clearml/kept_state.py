"""What an optimizer Task keeps of its search: all that takes it up again, and who runs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hpo_widgets.engines.clearml.optimizer_task import CONFIGURATION
from hpo_widgets.journal import JournalError, JournalInUse, Owner
from hpo_widgets.journal.lease import SILENCE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from hpo_widgets.engines.clearml.server import Server


def kept_state(server: Server, optimizer_task_id: str) -> dict[str, Any]:
    """What an optimizer Task keeps of its search; ``ValueError`` when there is no such Task, or no search in it."""
    found = server.tasks([optimizer_task_id], ["name", "configuration"])
    if not found:
        raise ValueError(f"there is no Task {optimizer_task_id} on the ClearML server {server.host}")
    state = read_state(found[0])
    if state is None:
        raise ValueError(
            f"Task {found[0].get('name')!r} is not the optimizer Task of a search of hpo_widgets; a search without one "
            "is opened by its id or journal, with base_task_id="
        )
    return state


def read_state(task: Mapping[str, Any]) -> dict[str, Any] | None:
    """The same, of a Task's fields; None when it keeps nothing."""
    kept = (task.get("configuration") or {}).get(CONFIGURATION) or {}
    try:
        state: dict[str, Any] = json.loads(kept.get("value") or "")
    except ValueError:
        return None
    return state


def refuse_living(state: Mapping[str, Any]) -> None:
    """Raise `JournalInUse` when the process that keeps an optimizer Task up to date is alive, wherever it is."""
    kept = state.get("owner")
    owner = None if kept is None else Owner(**kept)
    if owner is not None and owner.is_alive:
        msg = (
            f"the search {state['search']} is at work in process {owner.pid} on {owner.host}, which was last heard of "
            f"{max(0.0, owner.silent_for):.0f} s ago. Watch it there; to continue it here, stop it there first. Where "
            f"that machine is gone, wait until nothing was heard of it for {SILENCE:.0f} s"
        )
        raise JournalInUse(msg, owner.host, owner.pid)


def refuse_other_runs(state: Mapping[str, Any], known: Collection[str | None]) -> None:
    """Raise `JournalError` when the last run of a search is not among those whose trials are known here."""
    if state.get("run") not in known:
        msg = (
            f"the search {state['search']} was continued elsewhere since it was opened here; open it again "
            "(HyperParameterOptimizer.open) to go on with all of its trials"
        )
        raise JournalError(msg)
