"""What all parts of the panel share: following a search, messages with a kind, fields to type numbers into, closing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import traitlets as t
from ipywidgets import Widget

from hpo_widgets.search import Search
from hpo_widgets.widget.assets import ModuleWidget
from hpo_widgets.widget.sync.flow import Acknowledging, act_while_cell_runs
from hpo_widgets.widget.sync.refresher import Refresher
from hpo_widgets.widget.traits import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from hpo_widgets.widget.sync.refresher import Update


def close_tree(root: Widget) -> None:
    """Close ``root`` and every widget that its state leads to, so that no comm is left open; once."""
    # What was closed, or could not be made, is closed again by garbage collection: what it was given lives on.
    if root.comm is None:
        return
    for widget in widgets_of(root):
        Widget.close(widget)


def close_half_made(owner: Widget, before: Collection[str], *, kept: Widget | None = None) -> None:
    """Close a widget whose making failed, with what it has made, which may be no child of it yet.

    Parameters
    ----------
    owner
        The widget.
    before
        Names of the attributes that it had before it made anything: those are of whoever gave them.
    kept
        What others use too, and stays open.
    """
    attributes = [value for name, value in vars(owner).items() if name not in before]
    # What draws a figure is no widget.
    made = [*attributes, *(getattr(value, "figure", None) for value in attributes)]
    for root in (owner, *_widgets_in(made)):
        for widget in widgets_of(root):
            if widget is not kept:
                Widget.close(widget)


def widgets_of(root: Widget) -> list[Widget]:
    """Return ``root`` and every widget that its state leads to, each once, in the order of a tree."""
    seen: dict[int, Widget] = {}
    waiting = [root]
    while waiting:
        widget = waiting.pop()
        if id(widget) in seen:
            continue
        seen[id(widget)] = widget
        # Only what exists: reading a trait would make its default, a new widget.
        found = [one for name in widget.keys for one in _widgets_in(widget._trait_values.get(name))]  # noqa: SLF001
        waiting.extend(reversed(found))
    return list(seen.values())


def _widgets_in(value: object) -> Iterator[Widget]:
    if isinstance(value, Widget):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _widgets_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _widgets_in(part)


class Following:
    """Follows a search with a refresher of its own, or with the one of the panel it is part of."""

    _refresher: Refresher
    _owns_refresher: bool

    def _take_refresher(self, search: Search, refresher: Refresher | None) -> None:
        """Know the search, before the first trait is checked against it; nothing is shown yet."""
        self._owns_refresher = refresher is None
        self._refresher = Refresher(as_search(search)) if refresher is None else refresher

    @property
    def search(self) -> Search:
        """The search that is shown."""
        return self._refresher.search

    def refresh(self, update: Update) -> None:
        """Show what changed; called by the refresher only."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop what is kept of trials, some of which are gone, as a replay has gone back; called by the refresher only.

        `refresh` follows, with all trials that there are. Whoever keeps nothing of them has nothing to do.
        """

    def close(self) -> None:
        """Stop showing the search, which goes on, and free threads and comms."""
        # A widget whose construction failed is closed when it is collected, too.
        if getattr(self, "_owns_refresher", False):
            self._refresher.close()
        close_tree(self)


_MOST = 1e300
"""No number of a page is greater: what is written in its place may be greater than any float."""


def finite_number(said: object) -> float | None:
    """Return a number that a page has sent; None for anything else."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return float(said) if -_MOST <= said <= _MOST else None


_OF_EVERY_WIDGET = frozenset({"_dom_classes", "_view_count", "layout", "tabbable", "tooltip"})
"""What a page may set of every widget: how it looks, never the module that other pages would run."""


class PageWidget(ModuleWidget):
    """A widget with a browser module of its own, whose messages have a ``kind``.

    A page may set the traits that are tagged ``two_way``; what it says else, and values that make no
    sense, change nothing and are told in the panel's notices.
    """

    commands = t.Dict(
        help="What a page may ask for to None when it can be done now, else to the sentence that says why not."
    ).tag(sync=True)

    _notices: Refresher
    """Of the panel, whose notices people see."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a page sets; what it may not set, or not to this, is refused and sent back as it is."""
        self._notices.hear()
        taken = {name: value for name, value in sync_data.items() if self._may_be_set(name)}
        refused = [name for name in sync_data if name not in taken]
        if refused:
            self._refuse(f"{', '.join(refused)} cannot be set by a page")
        try:
            super().set_state(taken)
        except t.TraitError as error:
            refused += taken
            self._refuse(str(error))
        if names := [name for name in refused if name in self.keys]:
            self.send_state(names)

    def _may_be_set(self, name: str) -> bool:
        return name in _OF_EVERY_WIDGET or bool(self.has_trait(name) and self.trait_metadata(name, "two_way"))

    def _refuse(self, sentence: str) -> None:
        """Say that something which a page has sent changed nothing, and why."""
        self._notices.tell("page", f"{sentence[:300]}; nothing was changed")

    def _receive(self, _widget: object, content: object, _buffers: object) -> None:
        """Hand a message of the browser to ``_on_<kind>``; what does not fit is not acted on.

        A page can call every method of such a name, so what observes traits has other names (``_observe_<trait>``).
        """
        self._notices.hear()
        if isinstance(content, dict) and isinstance(content.get("kind"), str):
            handler = getattr(self, f"_on_{content['kind']}", None)
            if handler is not None:
                handler(content)


class ViewPart(Following, Acknowledging, PageWidget):
    """A part of the panel that has a view of its own and follows the search as the panel does."""

    def __init__(self, search: Search, *, refresher: Refresher | None = None, **traits: object) -> None:
        refuse_unknown(type(self), traits)
        self._take_refresher(search, refresher)
        self._notices = self._refresher
        try:
            super().__init__(**traits)
        except BaseException:
            if self._owns_refresher:
                self._refresher.close()
            raise
        self.on_msg(self._receive)
        # Before anything is shown: what a person does must reach the search while a cell runs.
        act_while_cell_runs(self)
        if self._owns_refresher:
            self._refresher.flow.follow(self)
        self._refresher.add(self)


def clicked(selected: list[int], number: int, *, adds: bool) -> list[int]:
    """Return the selection after a click on a trial.

    Parameters
    ----------
    selected
        The selection before.
    number
        The trial.
    adds
        Whether it is added to the selection, or taken out of it when it was in. Else it alone is selected, or nothing
        when it was that already.

    Returns
    -------
    list of int
        The selection.
    """
    if adds:
        return [one for one in selected if one != number] if number in selected else [*selected, number]
    return [] if selected == [number] else [number]


def as_search(shown: object) -> Search:
    """Return the search that an object is, or that a live ``clearml.automation.HyperParameterOptimizer`` stands for.

    That is recognised by its class's home, so that nobody imports clearml to ask; a ``TypeError`` refuses all else.
    """
    # A class has the members of what is made of it.
    if isinstance(shown, Search) and not isinstance(shown, type):
        return shown
    if any(
        kind.__name__ == "HyperParameterOptimizer" and kind.__module__.startswith("clearml.")
        for kind in type(shown).__mro__
    ):
        from hpo_widgets.clearml_sdk.live import adapt

        return adapt(shown)
    kind = type(shown).__name__
    hint = ""
    if isinstance(getattr(shown, "search", None), Search):
        hint = ", whose search is its .search"
    elif isinstance(shown, Widget):
        hint = ", which is shown as it is"
    elif isinstance(shown, type):
        hint = f", {shown.__name__[:_LONGEST_NAMED]} itself: show what it has made"
    elif kind == "Study" and type(shown).__module__.startswith("optuna."):
        hint = "; HyperParameterOptimizer.from_optuna(study) makes a search of it"
    elif isinstance(shown, str):
        hint = f"; HyperParameterOptimizer.open({shown[:_LONGEST_NAMED]!r}) opens one by its id"
    raise TypeError(
        "what is shown is a search of hpo_widgets or clearml.automation, a HyperParameterOptimizer or another Search, "
        f"got a {kind}{hint}"
    )


_LONGEST_ID, _LONGEST_NAMED = 40, 80


class NumberFieldPart(ViewPart):
    """A part with fields to type into, or a form; its view asks, and gets an answer by the request's id."""

    answer = t.Dict(help="The newest request that was typed in: its id, and what is wrong with it or nothing.").tag(
        sync=True
    )

    @property
    def _fields(self) -> Mapping[str, Callable[[str], None]]:
        """Name of each field to what takes its text; a ``ValueError`` or ``TraitError`` says what is wrong."""
        return {}

    def _on_type(self, content: dict[str, object]) -> None:
        name, typed, request = content.get("name"), content.get("text"), content.get("id")
        take = self._fields.get(name) if isinstance(name, str) else None
        if take is None or not isinstance(typed, str) or not isinstance(request, str):
            self._refuse("something was typed into no field of this part")
            return
        self._answer(request, lambda: take(typed.strip()))

    def _answer(self, request: str, act: Callable[[], None]) -> None:
        """Do what was asked, and tell what is wrong with it: what a ``ValueError`` or ``TraitError`` says."""
        try:
            act()
        except (ValueError, t.TraitError) as error:
            problem = str(error)
        else:
            problem = ""
        self.answer = {"id": request[:_LONGEST_ID], "problem": problem}
