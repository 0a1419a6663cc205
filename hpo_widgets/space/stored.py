"""The JSON form of a space: choices by index, label and type, with their value where JSON can hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hpo_widgets.parameters import DiscreteParameterRange, Parameter, ParameterSet
from hpo_widgets.parameters.choices import UnknownChoice, from_json, to_json, type_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.space.layout import Layout

_VERSION = 1


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
    form: Mapping[str, Any], choices: Mapping[str, Sequence[Any]]
) -> tuple[list[Parameter], dict[str, tuple[Any, Any]], dict[str, list[Any]]]:
    """Return the parameters, hard limits and changed ranges (choices by index) of a stored form.

    Parameters
    ----------
    form
        What `space_to_json` wrote.
    choices
        Name to its choices, for choices that JSON cannot hold.

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
    parameters = [_parameter_from_json(stored, choices) for stored in form["parameters"]]
    limits = {name: (pair[0], pair[1]) for name, pair in form.get("limits", {}).items()}
    return parameters, limits, dict(form.get("ranges", {}))


def _parameter_from_json(form: Mapping[str, Any], choices: Mapping[str, Sequence[Any]]) -> Parameter:
    if form["type"] == "DiscreteParameterRange":
        name = form["name"]
        values = [_choice_from_json(name, stored, choices) for stored in form["values"]]
        parameter = DiscreteParameterRange(name, values)
        allowed = form.get("allowed", range(len(values)))
        return parameter if len(allowed) == len(values) else parameter.with_range([values[index] for index in allowed])
    if form["type"] == "ParameterSet":
        combinations = []
        for stored in form["values"]:
            combination: dict[str, Any] = {}
            for number, part in enumerate(stored):
                if "parameter" in part:
                    inner = _parameter_from_json(part["parameter"], choices)
                    combination[inner.name or f"set {number}"] = inner
                else:
                    combination[part["name"]] = _choice_from_json(part["name"], part["constant"], choices)
            combinations.append(combination)
        return ParameterSet(combinations)
    return Parameter.from_dict(form)


def _choice_from_json(name: str, form: Mapping[str, Any], choices: Mapping[str, Sequence[Any]]) -> Any:
    if "value" in form:
        return from_json(form)
    if name not in choices:
        return UnknownChoice(form["label"], form["type"])
    declared, index = choices[name], form["index"]
    if index >= len(declared) or type_name(declared[index]) != form["type"]:
        raise ValueError(
            f"the choices given for {name!r} are not the stored ones: "
            f"number {index + 1} was {form['label']} ({form['type']})"
        )
    return declared[index]
