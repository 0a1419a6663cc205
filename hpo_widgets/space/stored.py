"""How points and spaces are stored: a point as a row of numbers, a space as JSON.

Choices are stored by index, label and type, with their value where JSON can hold it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hpo_widgets.parameters import DiscreteParameterRange, Kind, LeafParameter, Parameter, ParameterSet
from hpo_widgets.parameters.choices import UnknownChoice, from_json, to_json, type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.space.layout import Layout

_VERSION = 1


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
    """Turns points into rows and back: each number means the same in every epoch, and later ones may know more choices.

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
            When the row does not have one entry per name, or an index is that of no declared choice.
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
            raise ValueError(f"{point[name]!r} is not a choice of {name!r}")
        return index

    return encode


def space_to_json(layout: Layout, limits: Mapping[str, Any], changed: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return the form of a space's layout, hard limits and changed ranges.

    Parameters
    ----------
    layout
        The parameters of the space.
    limits
        Name to hard limits.
    changed
        Name to the range, or the choices, where they are not the declared ones.

    Returns
    -------
    dict
        JSON values.
    """
    ranges: dict[str, list[Any]] = {}
    for name, range_ in changed.items():
        parameter = layout.columns[name].parameter
        if isinstance(parameter, DiscreteParameterRange):
            ranges[name] = [parameter.table.index_of(value) for value in range_]
        else:
            ranges[name] = list(range_)
    return {
        "version": _VERSION,
        "parameters": [_parameter_to_json(layout, parameter) for parameter in layout.parameters],
        "limits": {name: list(pair) for name, pair in limits.items()},
        "ranges": ranges,
    }


def _parameter_to_json(layout: Layout, parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, DiscreteParameterRange):
        values = [_choice_to_json(layout, parameter.name, value) for value in parameter.declared]
        return {
            "type": "DiscreteParameterRange",
            "name": parameter.name,
            "values": values,
            "allowed": list(parameter.allowed),
        }
    if isinstance(parameter, ParameterSet):
        return {
            "type": "ParameterSet",
            "values": [
                [
                    {"parameter": _parameter_to_json(layout, part)}
                    if isinstance(part, Parameter)
                    else {"name": key, "constant": _choice_to_json(layout, key, part)}
                    for key, part in combination.items()
                ]
                for combination in parameter.values
            ],
        }
    return parameter.to_dict()


def _choice_to_json(layout: Layout, name: str, value: Any) -> dict[str, Any]:
    form = to_json(value)
    column = layout.columns[name].parameter
    if isinstance(column, DiscreteParameterRange):
        index = column.table.index_of(value)
        form["index"] = index
        form["label"] = column.labels[index or 0]
    return form


def space_from_json(
    form: Mapping[str, Any], choices: Mapping[str, Sequence[Any]], *, may_lack: bool = False
) -> tuple[list[Parameter], dict[str, tuple[Any, Any]], dict[str, list[Any]]]:
    """Return the parameters, hard limits and changed ranges (choices by index) of a stored form.

    Parameters
    ----------
    form
        What `space_to_json` wrote.
    choices
        Name to its choices, for choices that JSON cannot hold.
    may_lack
        Whether the last ones may be missing, as those that were added later; place holders stand for them.

    Returns
    -------
    tuple[list[Parameter], dict, dict]
        The parameters; name to hard limits; name to the range where it is not the declared one.

    Raises
    ------
    ValueError
        When the form is of a newer version, or the given choices are not the stored ones.
    """
    version = form.get("version", _VERSION)
    if version > _VERSION:
        raise ValueError(f"the stored space has version {version}, this release reads up to {_VERSION}: update it")
    live = _LiveChoices(choices, may_lack)
    parameters = [_parameter_from_json(stored, live) for stored in form["parameters"]]
    limits = {name: (pair[0], pair[1]) for name, pair in form.get("limits", {}).items()}
    return parameters, limits, dict(form.get("ranges", {}))


class _LiveChoices(NamedTuple):
    """Choices that JSON cannot hold, by name, and whether those that were added later may be missing."""

    by_name: Mapping[str, Sequence[Any]]
    may_lack: bool


def _parameter_from_json(form: Mapping[str, Any], choices: _LiveChoices) -> Parameter:
    if form["type"] == "DiscreteParameterRange":
        name = form["name"]
        values = [_choice_from_json(name, stored, choices) for stored in form["values"]]
        parameter = DiscreteParameterRange(name, values)
        allowed = choices_at(values, form.get("allowed", range(len(values))))
        return parameter if len(allowed) == len(values) else parameter.with_range(allowed)
    if form["type"] == "ParameterSet":
        combinations = []
        for stored in form["values"]:
            combination: dict[str, Any] = {}
            for part in stored:
                if "parameter" in part:
                    inner = _parameter_from_json(part["parameter"], choices)
                    # The place of a set is called like its first parameter, as nothing beside it can be.
                    place = next(iter(inner.values[0])) if isinstance(inner, ParameterSet) else inner.name
                    combination[place] = inner
                else:
                    combination[part["name"]] = _choice_from_json(part["name"], part["constant"], choices)
            combinations.append(combination)
        return ParameterSet(combinations)
    return Parameter.from_dict(form)


def choices_at(values: Sequence[Any], indices: Sequence[int]) -> list[Any]:
    """Return the choices of stored indices.

    Parameters
    ----------
    values
        All choices.
    indices
        Stored numbers of some of them.

    Returns
    -------
    list
        The choices.

    Raises
    ------
    ValueError
        For what is the number of no choice, such as -1, which Python would count from the end.
    """
    for index in indices:
        if type(index) is not int or not 0 <= index < len(values):
            raise ValueError(f"{index!r:.80} is the number of none of {len(values)} choices")
    return [values[index] for index in indices]


def _choice_from_json(name: str, form: Mapping[str, Any], choices: _LiveChoices) -> Any:
    if "value" in form:
        return from_json(form)
    declared, index = choices.by_name.get(name), form["index"]
    if declared is None or (choices.may_lack and index >= len(declared)):
        return UnknownChoice(form["label"], form["type"])
    if not 0 <= index < len(declared) or type_name(declared[index]) != form["type"]:
        raise ValueError(
            f"the choices given for {name!r} are not the stored ones: "
            f"number {index + 1} was {form['label']} ({form['type']})"
        )
    return declared[index]
