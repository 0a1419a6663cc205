"""Points as rows of numbers: what the journal stores and what tells duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.parameters import DiscreteParameterRange, Kind, LeafParameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class ColumnSpec(NamedTuple):
    """What is stored under one name.

    Attributes
    ----------
    name : str
        Full name.
    kind : {"float", "log", "int", "choice"}
        What the values are.
    labels : tuple of str or None
        Text of each declared choice; None for numbers.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...] | None


class PointCodec:
    """Turns points into rows and back; the same in every epoch of a space.

    Parameters
    ----------
    leaves : mapping of str to LeafParameter
        The parameter of each name, in order.
    """

    def __init__(self, leaves: Mapping[str, LeafParameter]) -> None:
        self._leaves = dict(leaves)
        self._encoders = [_encoder(name, leaf) for name, leaf in leaves.items()]
        self.columns = tuple(
            ColumnSpec(name, leaf.kind, leaf.labels if isinstance(leaf, DiscreteParameterRange) else None)
            for name, leaf in leaves.items()
        )

    def encode(self, point: Mapping[str, Any]) -> list[float | None]:
        """Return numbers in the order of the names: choices by index, None for absent names."""
        return [encoder(point) for encoder in self._encoders]

    def decode(self, row: Sequence[float | None]) -> dict[str, Any]:
        """Return the point that `encode` wrote.

        Raises
        ------
        ValueError
            When the row has not one entry per name, or an index is none of the declared choices.
        """
        point: dict[str, Any] = {}
        for (name, leaf), number in zip(self._leaves.items(), row, strict=True):
            if number is None:
                continue
            if leaf.kind != "choice":
                point[name] = int(number) if leaf.kind == "int" else float(number)
            elif 0 <= number < len(leaf.declared):
                point[name] = leaf.declared[int(number)]
            else:
                raise ValueError(f"{name!r} has no choice number {number!r}: it declares {len(leaf.declared)}")
        return point


def _encoder(name: str, leaf: LeafParameter) -> Callable[[Mapping[str, Any]], float | None]:
    if not isinstance(leaf, DiscreteParameterRange):
        return lambda point: point.get(name)
    index_of = leaf.table.index_of

    def encode(point: Mapping[str, Any]) -> int | None:
        if name not in point:
            return None
        index = index_of(point[name])
        if index is None:
            raise ValueError(f"{point[name]!r} is no choice of {name!r}")
        return index

    return encode
