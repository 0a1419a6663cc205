"""What a search may try: a space, one epoch of it at a time."""

from __future__ import annotations

from hpo_widgets.space.layout import Condition, Occurrence, SetOccurrence
from hpo_widgets.space.space import Point, Range, RangeChange, Space
from hpo_widgets.space.stored import ColumnSpec

__all__ = ["ColumnSpec", "Condition", "Occurrence", "Point", "Range", "RangeChange", "SetOccurrence", "Space"]
