"""Closing a widget with everything that only it uses: children, layouts, styles, marks, scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ipywidgets import Widget

if TYPE_CHECKING:
    from collections.abc import Iterator


def close_tree(root: Widget) -> None:
    """Close ``root`` and every widget that its state leads to, so that no comm is left open."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        widget = waiting.pop()
        if id(widget) in seen:
            continue
        seen.add(id(widget))
        # Only what exists: reading a trait would make its default, a new widget.
        for name in widget.keys:
            waiting.extend(_widgets_in(widget._trait_values.get(name)))  # noqa: SLF001
        Widget.close(widget)


def _widgets_in(value: object) -> Iterator[Widget]:
    if isinstance(value, Widget):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _widgets_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _widgets_in(part)
