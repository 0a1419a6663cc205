"""A saved page that plays a search back: what its panel shows at a number of moments, without a kernel.

The panel of a replay goes through the moments, and the page stores the traits that changed from each to the next. So
the page shows what a notebook would, in all tabs, and has no rules of its own for what a trial, a best value or a front
is. Changes between two moments are not shown one by one.
"""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

from ipywidgets import Widget

from hpo_widgets.optimizer.reopening import replay
from hpo_widgets.search.limits import positive_int
from hpo_widgets.viewer.replay import SPEED
from hpo_widgets.widget.panel import OptimizerWidget, PlotTabs
from hpo_widgets.widget.parts.part import widgets_of
from hpo_widgets.widget.parts.replay_bar import ReplayBar
from hpo_widgets.widget.plots.numbers import NumbersTable
from hpo_widgets.widget.saved_page import (
    PlayedBack,
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
# Traits of the replay bar that the page sets itself.
_OF_THE_PAGE = frozenset({"position", "is_playing"})


def save_replay_html(
    journal_or_task_id: str | Path,
    path: str | Path,
    *,
    moments: int = MOMENTS,
    speed: float = SPEED,
    title: str | None = None,
    plots: Sequence[str | type[Plot]] | None = None,
) -> SavedPage:
    """Write a page that plays a search back, without a kernel and without network.

    The page opens at the end of the search; its bar plays the search, or goes to one of the stored moments.
    From a notebook run the command ``!hpo-widgets replay ID --page FILE`` instead: widgets that are made in the
    notebook's kernel would send each of the moments to the browser.

    Parameters
    ----------
    journal_or_task_id
        A search id, or the path of a journal.
    path
        The file to write; an existing one is replaced, missing folders are made.
    moments
        Greatest number of moments, at least 2; at each of them trials had just started or ended. Default 100.
    speed
        Seconds of the search that are played in one second at first; the bar of the page offers others. Default 10.
    title
        The page's title. Default: the name of the search.
    plots
        The plots to show, as for `OptimizerWidget`.

    Returns
    -------
    SavedPage
        The path and the size of each part.

    Raises
    ------
    JournalError
        When there is no such search, or its journal cannot be read.
    ValueError
        For fewer than two moments, a speed that is not a number above 0, or an unknown plot.

    Examples
    --------
    >>> save_replay_html("digits-20261124-153012-a3f1c2", "digits.html")  # doctest: +SKIP
    """
    if positive_int("moments", moments) < _LEAST_MOMENTS:
        raise ValueError(f"moments must be at least {_LEAST_MOMENTS}, the beginning and the end, got {moments}")
    with replay(journal_or_task_id, speed=speed) as played:
        panel = OptimizerWidget(played, plots=plots)
        try:
            positions = played.moments(moments)
            changes = _TraitHistory()
            for place, position in enumerate(positions):
                played.seek(position)
                panel._refresher.refresh(is_kept=True)  # noqa: SLF001 -- all of it is of this moment
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
        Model id to its last state, for every model that existed at any of the moments.
    traits : dict
        Model id and name of a trait to its history: an entry for each moment at which the value changed, with the
        index of the moment, the value, and its binary parts.
    """

    def __init__(self) -> None:
        self.states: dict[str, Any] = {}
        self.traits: dict[tuple[str, str], list[_Was]] = {}
        self._seen: dict[str, dict[str, Any]] = {}
        """Model id to the values of its traits, none of which is changed in place."""

    def take(self, place: int, panel: OptimizerWidget) -> None:
        """Record what the panel shows at one more moment."""
        changed = []
        for widget in widgets_of(panel):
            now = {name: widget._trait_values.get(name) for name in widget.keys}  # noqa: SLF001 -- makes no defaults
            before = self._seen.get(widget.model_id, {})
            is_same = now.keys() == before.keys() and all(value is before[name] for name, value in now.items())
            # A table of numbers is made on request only: its traits do not tell whether the numbers have changed.
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
        """Yield the traits that change from moment to moment and that the page takes from the search.

        The position of the bar is left out, as the page sets it itself, and so are the commands of the other parts,
        which the page refuses at all moments.
        """
        for (model_id, name), known in self.traits.items():
            is_of_page = name in _OF_THE_PAGE if model_id == bar else name == "commands"
            if len(known) > 1 and not is_of_page:
                yield model_id, name, known


def _traits_of(model: Mapping[str, Any]) -> Iterator[tuple[str, Any, list[dict[str, Any]]]]:
    buffers: dict[str, list[dict[str, Any]]] = {}
    for buffer in model.get("buffers", ()):
        buffers.setdefault(buffer["path"][0], []).append(buffer)
    # A trait that is binary as a whole, such as a picture, is listed among the buffers only.
    for name in dict.fromkeys((*model["state"], *buffers)):
        yield name, model["state"].get(name), buffers.get(name, [])


def _packed(positions: Sequence[float], changes: _TraitHistory, bar: ReplayBar, tabs: PlotTabs) -> str:
    """Return the moments as base64 of compressed JSON."""
    within = [set(reachable(changes.states, [tab.model_id])) for tab in tabs.children]
    # A model within one tab need not be updated while another tab is shown; one that tabs share belongs to none.
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
