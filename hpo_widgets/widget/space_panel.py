"""The space panel: a range control for each parameter; moving one steers the search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import traitlets as t

from hpo_widgets.widget import text
from hpo_widgets.widget.asked import AskedRanges
from hpo_widgets.widget.assets import asset
from hpo_widgets.widget.part import ViewPart

if TYPE_CHECKING:
    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.widget.refresher import Refresher, Update

_COMMANDS = ("set_ranges", "undo", "redo")
_NUM_ENDS = 2


class SpacePanel(ViewPart):
    """Controls for the range of every parameter of a search, in parameter values.

    Two handles and two typed bounds for numbers (even, logarithmic, whole, stepped), a checkbox for
    each choice. A gesture becomes one command, and so one space epoch, when it is over. While a
    handle is held nothing moves it but the hand.

    Parameters
    ----------
    search
        The search to steer.

    Examples
    --------
    >>> SpacePanel(optimizer)  # doctest: +SKIP
    """

    _esm = asset("space.js")
    _css = asset("space.css")

    parameters = t.List(t.Dict(), help="What each control is for: name, kind, track, limits, step, choices.").tag(
        sync=True
    )
    ranges = t.Dict(help="Name to [low, high] in values, or to the indices of the allowed choices.").tag(sync=True)
    commands = t.Dict(help="Command to None when it can be done now, else to the sentence that says why not.").tag(
        sync=True
    )
    answered = t.Float(0.0, help="The newest request of the browser whose outcome `ranges` shows.").tag(sync=True)

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        self._asked = AskedRanges()
        self._tracks: dict[str, tuple[float, float]] = {}
        super().__init__(search, refresher=refresher, **traits)

    def refresh(self, update: Update) -> None:
        """Show the ranges of the present space epoch."""
        search = update.search
        space = search.space
        capabilities = search.capabilities
        commands = {name: capabilities.get(name) for name in _COMMANDS}
        request = self._asked.answered(search)
        with self.hold_sync():
            self.parameters = [self._describe(space, name, label) for name, label in text.labels(space.names).items()]
            self.ranges = {name: _sent_range(space, name) for name in space.names}
            self.commands = {**commands, "reset": commands["set_ranges"]}
            if request is not None:
                self.answered = request

    def _describe(self, space: Space, name: str, label: str) -> dict[str, object]:
        leaf: Any = space.leaf(name)
        if leaf.kind == "choice":
            return {"name": name, "label": label, "kind": "choice", "choices": list(leaf.labels)}
        low, high = self._tracks.get(name, leaf.declared)
        # The track shows every range there was, so that undo never leads off it.
        track = min(low, leaf.range[0]), max(high, leaf.range[1])
        self._tracks[name] = track
        limit_low, limit_high = space.limits.get(name) or (None, None)
        return {
            "name": name,
            "label": label,
            "kind": leaf.kind,
            "low": track[0],
            "high": track[1],
            "limit_low": _finite(limit_low),
            "limit_high": _finite(limit_high),
            "step": leaf.step,
            "origin": leaf.declared[0],
            "base": float(getattr(leaf, "base", 10.0)),
        }

    def _on_set_ranges(self, content: dict[str, object]) -> None:
        asked = content.get("ranges")
        request = content.get("id")
        if not isinstance(asked, dict):
            return
        space = self.search.space
        ranges = {name: _meant_range(space, name, asked[name]) for name in asked if name in space.names}
        if ranges:
            self._asked.ask(self.search, float(request) if isinstance(request, (int, float)) else 0.0)
            self.search.command("set_ranges", ranges)

    def _on_undo(self, _content: dict[str, object]) -> None:
        self.search.command("undo")

    def _on_redo(self, _content: dict[str, object]) -> None:
        self.search.command("redo")

    def _on_reset(self, _content: dict[str, object]) -> None:
        """Go back to the ranges of the first space epoch, as one more epoch: nothing is forgotten."""
        epochs = self.search.epochs
        if epochs:
            self.search.command("set_ranges", dict(epochs[0].ranges))


def _sent_range(space: Space, name: str) -> list[float]:
    leaf: Any = space.leaf(name)
    return list(leaf.allowed) if leaf.kind == "choice" else list(leaf.range)


def _meant_range(space: Space, name: str, sent: Any) -> tuple[object, ...]:
    """Turn what the browser sent into a range in values; what makes no sense is left to the search to refuse."""
    leaf: Any = space.leaf(name)
    if leaf.kind == "choice":
        return tuple(leaf.declared[index] for index in sent if 0 <= index < len(leaf.declared))
    if leaf.kind == "int":
        return tuple(int(bound) if float(bound).is_integer() else bound for bound in sent)
    return tuple(float(bound) for bound in sent)


def _finite(bound: float | None) -> float | None:
    return None if bound is None or math.isinf(bound) else bound
