"""A saved page that plays a search back: what its panel shows at each of some moments, without a kernel.

The moments are drawn by the panel of a replay, one after the other, and the page is given what changed from each to the
next. So it shows what a notebook would, in all tabs, and has no rules of its own for what a trial, a best value or a
front is. What moves between two moments is left out.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from ipywidgets import Widget

from hpo_widgets.optimizer.reopening import replay
from hpo_widgets.search.limits import positive_int
from hpo_widgets.widget.panel import OptimizerWidget, PlotTabs
from hpo_widgets.widget.parts.part import widgets_of
from hpo_widgets.widget.parts.replay_bar import ReplayBar
from hpo_widgets.widget.plots.numbers import NumbersTable
from hpo_widgets.widget.saved_page import (
    PlayedBack,
    bring_up_to_date,
    reachable,
    save_played_back,
    with_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hpo_widgets.widget.plots.plot import Plot
    from hpo_widgets.widget.saved_page import SavedPage

    _Was = tuple[int, Any, list[dict[str, Any]]]

MOMENTS = 100
"""Moments of a search that a page holds, unless another number is asked for."""
_LEAST_MOMENTS = 2
# The page says by itself where it stands.
_OF_THE_PAGE = frozenset({"position", "is_playing"})


def save_replay_html(
    journal_or_task_id: str | Path,
    path: str | Path,
    *,
    moments: int = MOMENTS,
    title: str | None = None,
    plots: Sequence[str | type[Plot]] | None = None,
) -> SavedPage:
    """Write a page that plays a search back, without a kernel and without network.

    It shows the panel at the end of the search, and a bar plays it, or goes to each of some moments.
    In a notebook run it as a command, ``!hpo-widgets replay ID --page FILE``: in a kernel each of the moments would be
    sent to the browser.

    Parameters
    ----------
    journal_or_task_id
        A search id, or the path of a journal.
    path
        The file to write; an existing one is replaced, missing folders are made.
    moments
        How many moments it holds at most, at least 2: those at which trials had just started or ended. Default 100.
    title
        The page's title. Default: the name of the search.
    plots
        Which plots there are; as for `OptimizerWidget`.

    Returns
    -------
    SavedPage
        The path and the size of each part.

    Raises
    ------
    JournalError
        When there is no such search, or its journal cannot be read.
    ValueError
        For fewer than two moments, or a plot that there is not.

    Examples
    --------
    >>> save_replay_html("digits-20261124-153012-a3f1c2", "digits.html")  # doctest: +SKIP
    """
    if positive_int("moments", moments) < _LEAST_MOMENTS:
        raise ValueError(f"moments must be at least {_LEAST_MOMENTS}, the beginning and the end, got {moments}")
    with replay(journal_or_task_id) as played:
        panel = OptimizerWidget(played, plots=plots)
        try:
            positions = played.moments(moments)
            changes = _TraitHistory()
            for place, position in enumerate(positions):
                played.seek(position)
                bring_up_to_date([panel.model_id])
                changes.take(place, panel)
            parts = widgets_of(panel)
            bar = next(one for one in parts if isinstance(one, ReplayBar))
            tabs = next(one for one in parts if isinstance(one, PlotTabs))
            played_back = PlayedBack(changes.states, bar.model_id, _packed(positions, changes, bar, tabs))
            held = f"{len(positions)} moments" if len(positions) > 1 else "the only moment"
            note = f"Saved page: it plays back {held} of the search; the other controls are off."
            return save_played_back(panel, path, played_back, title=title or played.name, note=note)
        finally:
            panel.close()


class _TraitHistory:
    """What changes in the states of a panel's widgets from moment to moment.

    Attributes
    ----------
    states : dict
        All models that there were, each as it was last.
    traits : dict
        Model id and name of a trait to what it was: the place of the moment, the value, and its binary parts, for each
        moment at which it was another one than before.
    """

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.traits: dict[tuple[str, str], list[_Was]] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        """Model id to the values of its traits, none of which is changed in place."""

    def take(self, place: int, panel: OptimizerWidget) -> None:
        """Take what the panel shows at one moment more."""
        changed = []
        for widget in widgets_of(panel):
            now = {name: widget._trait_values.get(name) for name in widget.keys}  # noqa: SLF001 -- makes no defaults
            before = self._seen.get(widget.model_id, {})
            is_same = now.keys() == before.keys() and all(value is before[name] for name, value in now.items())
            # A table of numbers is made when somebody asks for it.
            if not is_same or isinstance(widget, NumbersTable):
                changed.append(widget)
            self._seen[widget.model_id] = now
        states = with_numbers(Widget.get_manager_state(drop_defaults=False, widgets=changed)["state"])
        self.states |= states
        for model_id, model in states.items():
            for name, value, buffers in _traits_of(model):
                known = self.traits.setdefault((model_id, name), [])
                if not known or known[-1][1:] != (value, buffers):
                    known.append((place, value, buffers))

    def changing(self, bar: str) -> Iterator[tuple[str, str, list[_Was]]]:
        """Give the traits that are not the same at all moments and that the page takes from the search.

        Where the bar stands, the page says by itself; what its other parts may command, it refuses at all moments.
        """
        for (model_id, name), known in self.traits.items():
            is_of_page = name in _OF_THE_PAGE if model_id == bar else name == "commands"
            if len(known) > 1 and not is_of_page:
                yield model_id, name, known


def _traits_of(model: Mapping[str, Any]) -> Iterator[tuple[str, Any, list[dict[str, Any]]]]:
    buffers: dict[str, list[dict[str, Any]]] = {}
    for buffer in model.get("buffers", ()):
        buffers.setdefault(buffer["path"][0], []).append(buffer)
    # What is binary as a whole, such as a picture, is no part of the state but for its place.
    for name in dict.fromkeys((*model["state"], *buffers)):
        yield name, model["state"].get(name), buffers.get(name, [])


def _packed(positions: Sequence[float], changes: _TraitHistory, bar: ReplayBar, tabs: PlotTabs) -> str:
    """Return the moments as base64 of compressed JSON."""
    within = [set(reachable(changes.states, [tab.model_id])) for tab in tabs.children]
    # Nothing of a tab is drawn while another one is looked at; what several of them share belongs to none.
    owners = {
        model_id: [place for place, model_ids in enumerate(within) if model_id in model_ids]
        for model_id in changes.states
    }
    data = {
        "positions": list(positions),
        "tabs": tabs.model_id,
        "traits": [
            {
                "model": model_id,
                "name": name,
                "tab": owners[model_id][0] if len(owners[model_id]) == 1 else None,
                "since": [place for place, _, _ in known],
                "values": [value for _, value, _ in known],
                "buffers": [buffers for _, _, buffers in known],
            }
            for model_id, name, known in changes.changing(bar.model_id)
        ],
    }
    text = json.dumps(data, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()
