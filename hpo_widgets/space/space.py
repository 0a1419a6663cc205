"""What a search may try in one space epoch: all parameters with their current ranges, and the points of these."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from hpo_widgets._messages import near_match
from hpo_widgets.parameters import DiscreteParameterRange, LeafParameter, NumericParameter, Parameter, check_limits
from hpo_widgets.parameters.choices import UnknownChoice
from hpo_widgets.parameters.grids import LazyList, concatenate, product
from hpo_widgets.space.layout import (
    Condition,
    Layout,
    Limits,
    Misfit,
    Occurrence,
    SetOccurrence,
    checked_limits,
    match,
    misfit,
    within,
)
from hpo_widgets.space.prior import Prior, Priors
from hpo_widgets.space.stored import ColumnSpec, PointCodec, choices_at, space_from_json, space_to_json

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    import numpy.typing as npt

Point = dict[str, Any]
Range = tuple[Any, ...]


@dataclasses.dataclass(frozen=True)
class RangeChange:
    """Another end of a range, or some choices more or fewer: the rest stays as it is when the change is made.

    A page says so what a person has moved. A whole range would take back what has changed since the page last heard.

    Attributes
    ----------
    parts : mapping of int to object
        0 and 1 to another lower and upper bound; for choices, the place of each among those declared to whether it is
        allowed.
    """

    parts: Mapping[int, Any]

    def of(self, leaf: LeafParameter) -> Range:
        """Return the whole range that this makes of a parameter's present one; it is not checked yet."""
        if isinstance(leaf, DiscreteParameterRange):
            allowed = {**dict.fromkeys(leaf.allowed, True), **self.parts}
            return tuple(choice for place, choice in enumerate(leaf.declared) if allowed.get(place, False))
        return tuple(self.parts.get(end, bound) for end, bound in enumerate(leaf.range))


class _EpochOptions:
    """What may be chosen in one space epoch; never changes.

    Parameters
    ----------
    layout
        The parameters as declared.
    changed
        Parameters whose range differs from the declared one, by name, with it.

    Attributes
    ----------
    leaves : dict of str to LeafParameter
        Each name's parameter with its present range.
    active : list of LeafParameter or None
        The parameter of each occurrence with its present range; None where that leaves it no value.
    feasible : list of tuple of int
        For each ParameterSet the combinations that are left.
    top_sets : list of SetOccurrence
        The sets that every point has a combination of.

    Raises
    ------
    ValueError
        When no combination of a ParameterSet is left.
    """

    def __init__(self, layout: Layout, changed: Mapping[str, LeafParameter]) -> None:
        self._layout = layout
        self.leaves: dict[str, LeafParameter] = {}
        self.active: list[LeafParameter | None] = [None] * len(layout.occurrences)
        for name, column in layout.columns.items():
            leaf = self.leaves[name] = changed.get(name, column.parameter)
            for index in column.occurrences:
                own = layout.occurrences[index].parameter
                if own == column.parameter:
                    self.active[index] = leaf
                else:
                    self.active[index] = within(own, column.parameter, leaf.range) if name in changed else own
        self.feasible: list[tuple[int, ...]] = [()] * len(layout.sets)
        for place in reversed(layout.sets):  # inner before outer
            self.feasible[place.index] = tuple(
                number
                for number, (leaves, sets) in enumerate(place.combinations)
                if all(self.active[index] is not None for index in leaves)
                and all(self.feasible[index] for index in sets)
            )
        self.top_sets = [layout.sets[index] for is_set, index in layout.top if is_set]
        for place in self.top_sets:
            if not self.feasible[place.index]:
                names = ", ".join(map(repr, sorted(place.names & changed.keys())))
                raise ValueError(f"these ranges leave no combination of the ParameterSet: allow more for {names}")
        top = [layout.occurrences[index] for is_set, index in layout.top if not is_set]
        self._top_names = [occurrence.name for occurrence in top]
        self._top_leaves = [(occurrence.dimension, self._some(occurrence.index)) for occurrence in top]

    def _some(self, occurrence: int) -> LeafParameter:
        """Return the parameter of an occurrence at the top level or in a feasible combination."""
        leaf = self.active[occurrence]
        if leaf is None:  # pragma: no cover - the feasible combinations are chosen by this
            raise LookupError(f"{self._layout.occurrences[occurrence].name!r} has no value in these ranges")
        return leaf

    def points(self, u: npt.NDArray[np.float64]) -> list[Point]:
        """Turn rows of uniform numbers into points; see `Space.points`."""
        u = np.asarray(u, dtype=np.float64)
        if u.ndim != 2 or u.shape[1] != self._layout.num_dimensions:
            raise ValueError(f"unit numbers must have shape (n, {self._layout.num_dimensions}), got {u.shape}")
        values = [leaf.from_unit(u[:, dimension]) for dimension, leaf in self._top_leaves]
        names = self._top_names
        points: list[Point] = (
            [dict(zip(names, row)) for row in zip(*values)]  # noqa: B905 - equal by construction, and the hot line
            if values
            else [{} for _ in range(len(u))]
        )
        if self.top_sets:
            rows = np.arange(len(u))
            for place in self.top_sets:
                self._fill(place, u, rows, points)
        return points

    def _fill(
        self, place: SetOccurrence, u: npt.NDArray[np.float64], rows: npt.NDArray[np.intp], points: list[Point]
    ) -> None:
        """Choose a combination for each of some rows and write its values into their points."""
        feasible = self.feasible[place.index]
        chosen = np.minimum((u[rows, place.dimension] * len(feasible)).astype(np.int64), len(feasible) - 1)
        for which, number in enumerate(feasible):
            members = rows[chosen == which]
            if not len(members):
                continue
            leaves, sets = place.combinations[number]
            for index in leaves:
                leaf, occurrence = self._some(index), self._layout.occurrences[index]
                unit = np.zeros(len(members)) if occurrence.dimension is None else u[members, occurrence.dimension]
                for row, value in zip(members.tolist(), leaf.from_unit(unit), strict=True):
                    points[row][occurrence.name] = value
            for index in sets:
                self._fill(self._layout.sets[index], u, members, points)

    @property
    def size(self) -> int | None:
        """Number of points, None when one range is continuous."""
        return self._size(self._layout.top)

    def _size(self, parts: Sequence[tuple[bool, int]]) -> int | None:
        total = 1
        for is_set, index in parts:
            if is_set:
                counts = [self._size(_parts(self._layout.sets[index], number)) for number in self.feasible[index]]
                count = None if None in counts else sum(filter(None, counts))
            else:
                count = self._some(index).num_values
            if count is None:
                return None
            total *= count
        return total

    def grid(self) -> LazyList[Point]:
        """List every point, made on demand; see `Space.grid`."""
        return product(self._lists(self._layout.top))

    def _lists(self, parts: Sequence[tuple[bool, int]]) -> list[LazyList[Point]]:
        lists: list[LazyList[Point]] = []
        for is_set, index in parts:
            if is_set:
                place = self._layout.sets[index]
                lists.append(
                    concatenate([product(self._lists(_parts(place, number))) for number in self.feasible[index]])
                )
            else:
                lists.append(self._some(index).to_list())
        return lists


def _parts(place: SetOccurrence, number: int) -> list[tuple[bool, int]]:
    leaves, sets = place.combinations[number]
    return [(False, index) for index in leaves] + [(True, index) for index in sets]


class Space:
    """All parameters with their current ranges; never changes.

    Parameters
    ----------
    parameters : sequence of Parameter
        Parameters of this package or of the ClearML SDK.
    limits : mapping of str to (low, high), optional
        Hard bounds, in values, beyond which no range may be widened; None or infinity for no bound.

    Raises
    ------
    ValueError
        For an empty space, a name that is set twice, limits that fall, do not hold the declared range or name
        an unknown parameter.
    TypeError
        For something that is no parameter.
    """

    def __init__(self, parameters: Sequence[Any], limits: Mapping[str, Any] | None = None) -> None:
        self._layout = Layout(parameters)
        self._limits = checked_limits(self._layout, limits or {})
        self._changed: dict[str, LeafParameter] = {}
        self._priors: dict[str, Prior] = {}
        self._settle()

    def _with_changed(
        self, changed: dict[str, LeafParameter], priors: dict[str, Prior], layout: Layout | None = None
    ) -> Space:
        """Return another epoch of this space, maybe with a layout of more choices."""
        other = object.__new__(Space)
        other._layout, other._limits, other._changed = layout or self._layout, self._limits, changed
        other._priors = priors
        other._settle()
        return other

    def _settle(self) -> None:
        """Derive all that depends on the present ranges."""
        self._options = _EpochOptions(self._layout, self._changed)
        self._codec = PointCodec(self._options.leaves)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.parameters, self._limits, self._changed, self._priors)

    # ---------------------------------------------------------------- what there is

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters as declared."""
        return self._layout.parameters

    @property
    def names(self) -> tuple[str, ...]:
        """All names in a fixed order, also those that only some combinations set."""
        return tuple(self._layout.columns)

    @property
    def limits(self) -> Mapping[str, tuple[Any, Any]]:
        """Hard bounds by name; a name without bounds is absent."""
        return MappingProxyType(self._limits)

    @property
    def ranges(self) -> Mapping[str, Range]:
        """Current range of every name, in values: ``(low, high)`` or the allowed choices."""
        return MappingProxyType({name: leaf.range for name, leaf in self._options.leaves.items()})

    @property
    def range_keys(self) -> Mapping[str, tuple[float, ...]]:
        """What tells the ranges of one epoch from those of another, by name; see `LeafParameter.range_key`."""
        return MappingProxyType({name: leaf.range_key for name, leaf in self._options.leaves.items()})

    @property
    def priors(self) -> Priors:
        """The prior of each parameter that has one, by name."""
        return MappingProxyType(self._priors)

    def leaf(self, name: str) -> LeafParameter:
        """Return the leaf parameter of a name, with its current range.

        Where combinations share a name, it is one range or list of choices round the values of all.

        Raises
        ------
        ValueError
            For an unknown name, with a near match.
        """
        if name not in self._options.leaves:
            raise ValueError(f"the space has no parameter {name!r}. {near_match(name, self.names)}")
        return self._options.leaves[name]

    @property
    def columns(self) -> tuple[ColumnSpec, ...]:
        """What is stored under each name, in the order of `names`."""
        return self._codec.columns

    @property
    def num_dimensions(self) -> int:
        """Unit coordinates that one point needs; the same in every epoch."""
        return self._layout.num_dimensions

    @property
    def lost_choices(self) -> tuple[str, ...]:
        """Names with choices whose values a stored search could not hold."""
        return tuple(
            name
            for name, leaf in self._options.leaves.items()
            if any(isinstance(value, UnknownChoice) for value in leaf.declared)
        )

    # ---------------------------------------------------------------- conditions

    @property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """Every place where a leaf or a constant stands, as declared, with the conditions it depends on."""
        return self._layout.occurrences

    @property
    def sets(self) -> tuple[SetOccurrence, ...]:
        """Every ParameterSet, outer before inner, with the conditions it depends on."""
        return self._layout.sets

    @property
    def conditions(self) -> Mapping[str, tuple[tuple[Condition, ...], ...]]:
        """For each name the alternatives under which it is part of a point.

        ``((),)`` for a name that always is. An alternative holds when all its conditions do.
        """
        return MappingProxyType(
            {
                name: tuple(self._layout.occurrences[index].conditions for index in column.occurrences)
                for name, column in self._layout.columns.items()
            }
        )

    @property
    def names_of_every_point(self) -> frozenset[str]:
        """Names that are part of every point; of the others some combination of a ParameterSet has none."""
        return self._layout.names_of_every_point

    def names_together(self) -> Iterator[tuple[Occurrence, frozenset[str]]]:
        """Each place of a parameter, with the names that are part of every point that it is part of."""
        return self._layout.names_together()

    def active_leaf(self, occurrence: int) -> LeafParameter | None:
        """Return the parameter of an occurrence with its current range, None when no value is left of it."""
        return self._options.active[occurrence]

    def feasible(self, parameter_set: int) -> tuple[int, ...]:
        """Return the combinations of a ParameterSet that the current ranges leave."""
        return self._options.feasible[parameter_set]

    def are_possible(self, conditions: Iterable[Condition]) -> bool:
        """Tell whether the current ranges leave the combinations that some conditions name."""
        return all(combination in self.feasible(index) for index, combination in conditions)

    def selections(self, point: Mapping[str, Any]) -> tuple[int | None, ...] | None:
        """Tell which combination of each ParameterSet a point uses.

        Returns
        -------
        tuple of int or None
            In the order of `sets`, None for a set that is not part of the point; None altogether when
            the point does not belong to the space or lies outside its ranges.
        """
        return match(self._layout, point, self._gives)

    def _gives(self, occurrence: int, value: Any) -> bool:
        leaf = self._options.active[occurrence]
        return leaf is not None and leaf.contains(value)

    # ---------------------------------------------------------------- other epochs

    def with_ranges(self, ranges: Mapping[str, Sequence[Any] | RangeChange]) -> Space:
        """Return the next epoch: this space with some ranges changed.

        Parameters
        ----------
        ranges : mapping of str to sequence or RangeChange
            ``(low, high)`` in values, or the allowed choices; or what changes of them. A combination of a ParameterSet
            that is left without a value for one of its names is not drawn any more.

        Raises
        ------
        ValueError
            For an unknown name (with a near match), a range that falls, is not finite, leaves its limits or
            holds no value, and when no combination of a ParameterSet is left.
        """
        given: object = ranges
        if not isinstance(given, Mapping):
            msg = f"ranges map names to (low, high), or to the allowed choices, got {ranges!r:.80}"
            raise ValueError(msg)  # noqa: TRY004 -- one kind of error for ranges that make no sense
        changed = dict(self._changed)
        for name, range_ in ranges.items():
            present = self.leaf(name)
            whole = range_.of(present) if isinstance(range_, RangeChange) else range_
            changed[name] = self._layout.columns[name].parameter.with_range(whole, self._limits.get(name))
        return self._with_changed(changed, self._priors)

    def with_choices(self, choices: Mapping[str, Sequence[Any]]) -> Space:
        """Return the next epoch: this space with further choices, which are allowed.

        They come after those that are there, whose numbers in encoded points stay as they are. In a prior each has the
        mean weight of the others.

        Parameters
        ----------
        choices : mapping of str to sequence
            Name to its new choices.

        Raises
        ------
        ValueError
            For an unknown name (with a near match), numbers, no choice, one that is there already, and a name that
            several combinations of a ParameterSet set.
        """
        given: object = choices
        if not isinstance(given, Mapping):
            msg = f"choices map names to lists of new choices, got {choices!r:.80}"
            raise ValueError(msg)  # noqa: TRY004 -- one kind of error for choices that make no sense
        leaves: dict[str, DiscreteParameterRange] = {}
        for name, values in choices.items():
            leaf = self.leaf(name)
            if not isinstance(leaf, DiscreteParameterRange):
                raise ValueError(f"{name!r} is a range of numbers: widen it with set_range")  # noqa: TRY004 -- as above
            leaves[name] = leaf.with_choices(values)
        layout = self._layout.with_choices(
            {name: leaf.declared[len(self.leaf(name).declared) :] for name, leaf in leaves.items()}
        )
        changed = {name: leaves.get(name, leaf) for name, leaf in self._changed.items()}
        return self._with_changed(changed, self._priors_in(layout), layout)

    def takes_choices(self, name: str) -> bool:
        """Whether a name takes new choices: no range of numbers does, and no constant of a ParameterSet."""
        return self._layout.takes_choices(name)

    def with_choices_of(self, other: Space) -> Space:
        """Return this epoch with the choices that a later one has in addition; they are not allowed."""
        more: dict[str, LeafParameter] = {}
        for name, leaf in self._options.leaves.items():
            column = other._layout.columns[name].parameter
            if (
                isinstance(leaf, DiscreteParameterRange)
                and isinstance(column, DiscreteParameterRange)
                and len(column.declared) > len(leaf.declared)
            ):
                more[name] = leaf.with_choices_of(column)
        if not more:
            return self
        return self._with_changed({**self._changed, **more}, self._priors_in(other._layout), other._layout)

    def _priors_in(self, layout: Layout) -> dict[str, Prior]:
        return {name: prior.with_choices_of(layout.columns[name].parameter) for name, prior in self._priors.items()}

    def extends(self, other: Space) -> bool:
        """Whether this space has the columns of another one, with the same choices or more at their end."""
        pairs = zip(self.columns, other.columns, strict=False)
        return len(self.columns) == len(other.columns) and all(
            (mine.name, mine.kind) == (theirs.name, theirs.kind)
            and _identities(self.leaf(mine.name))[: len(theirs.labels or ())] == _identities(other.leaf(mine.name))
            for mine, theirs in pairs
        )

    def with_priors(self, priors: Mapping[str, Any], first_number: int = 0) -> Space:
        """Return the next epoch: this space with some priors drawn, or taken away.

        Parameters
        ----------
        priors : mapping of str to a prior, or None
            As `Prior.of` takes them; None takes the prior of a name away.
        first_number : int, default 0
            The first trial that is proposed with them.

        Returns
        -------
        Space
            The next epoch; the others stay as they are.

        Raises
        ------
        ValueError
            For an unknown name, with a near match, or an invalid prior.
        """
        given_priors: object = priors
        if not isinstance(given_priors, Mapping):
            msg = f"priors map names to weights, or to None, got {priors!r:.80}"
            raise ValueError(msg)  # noqa: TRY004 -- one kind of error for priors that make no sense
        drawn = dict(self._priors)
        for name, given in priors.items():
            leaf = self.leaf(name)
            if given is None:
                drawn.pop(name, None)
            else:
                drawn[name] = dataclasses.replace(Prior.of(leaf, given), since=first_number, age=0)
        return self._with_changed(self._changed, drawn)

    def with_ages(self, first_number: int) -> Space:
        """Return this space as it is from a trial on: each prior has aged by the trials since it was drawn."""
        if not self._priors:
            return self
        aged = {
            name: dataclasses.replace(prior, age=max(0, first_number - prior.since))
            for name, prior in self._priors.items()
        }
        return self._with_changed(self._changed, aged)

    # ---------------------------------------------------------------- points

    def points(self, u: npt.NDArray[np.float64]) -> list[Point]:
        """Turn uniform numbers into points.

        Parameters
        ----------
        u : ndarray, shape (n, num_dimensions)
            Numbers in [0, 1).

        Returns
        -------
        list of dict
            n points inside the current ranges. Names of combinations that are not chosen are absent.
        """
        return self._options.points(u)

    def follow_priors(self, u: npt.NDArray[np.float64], first_draw: int) -> npt.NDArray[np.float64]:
        """Transform uniform numbers, so that `points` turns them into points that follow the priors.

        Parameters
        ----------
        u : ndarray, shape (n, num_dimensions)
            Numbers in [0, 1).
        first_draw : int
            How many points were drawn in this epoch before these: priors fade with each.

        Returns
        -------
        ndarray, shape (n, num_dimensions)
            Numbers in [0, 1), unchanged in the dimensions of parameters without a prior.
        """
        if not self._priors:
            return u
        bent = u.copy()
        for occurrence in self.occurrences:
            prior, leaf = self._priors.get(occurrence.name), self.active_leaf(occurrence.index)
            if prior is None or leaf is None or occurrence.dimension is None:
                continue
            ages = range(prior.age + first_draw, prior.age + first_draw + len(u))
            exponents = np.array([prior.exponent(age) for age in ages])
            column = bent[:, occurrence.dimension]
            bent[:, occurrence.dimension] = prior.bent(column, leaf, self.leaf(occurrence.name), exponents)
        return bent

    def contains(self, point: Mapping[str, Any]) -> bool:
        """Tell whether a point is one that the current ranges can give."""
        return self.selections(point) is not None

    @property
    def size(self) -> int | None:
        """Number of points when every range has steps or choices, None when one is continuous."""
        return self._options.size

    def grid(self) -> LazyList[Point]:
        """List every point, made on demand; the last parameter varies fastest.

        A continuous range is cut into 100 equal steps, of the exponent where it is logarithmic, as in ClearML.
        The list's ``size`` is exact where `len` overflows.
        """
        return self._options.grid()

    def normalise(self, point: Mapping[str, Any]) -> Point:
        """Return a point that a person gave with values of the declared types; it may lie outside the current ranges.

        numpy scalars become Python ones, and 2.0 becomes 2 for a whole number. A choice must be declared with the
        same type.

        Raises
        ------
        ValueError
            For unknown names (with a near match), missing names, values of a wrong type or beyond hard
            limits, and names that no combination of a ParameterSet sets together.
        """
        if not isinstance(point, Mapping):
            raise ValueError(f"a point is a dict of parameter names and values, got {point!r}")  # noqa: TRY004 - as said
        values: Point = {}
        for name, value in point.items():
            leaf = self.leaf(name)
            values[name] = leaf.normalise(value)
            if isinstance(leaf, NumericParameter):
                check_limits(name, (values[name], values[name]), self._limits.get(name))
        needed = [self._layout.occurrences[index].name for is_set, index in self._layout.top if not is_set]
        if missing := [name for name in needed if name not in values]:
            raise ValueError(f"the point lacks a value for {', '.join(map(repr, missing))}")
        if self.selections(values) is None and match(self._layout, values, self._could_be) is None:
            sets = [place.names for place in self._options.top_sets if place.names & values.keys()] or [
                place.names for place in self._options.top_sets
            ]
            given = {name: value for name, value in values.items() if any(name in names for names in sets)}
            raise ValueError(f"no combination of the ParameterSet has exactly {given!r}{self._difference(values)}")
        return {name: values[name] for name in self.names if name in values}

    def misfit(self, point: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Tell by which names a point differs from the nearest combinations of the space's ParameterSets.

        These are names that the point lacks, and those that it has too much; none of either where it fits, and where no
        combination takes its values.
        """
        return self._names_of(misfit(self._layout, point, self._could_be))

    def _names_of(self, nearest: Misfit) -> tuple[list[str], list[str]]:
        """Names that a point lacks and has too much, in the order of the space."""
        if nearest.num_refused:
            return [], []
        lacks, has_too_much = (
            [name for name in self.names if name in some] for some in (nearest.missing, nearest.superfluous)
        )
        return lacks, has_too_much

    def _difference(self, point: Mapping[str, Any]) -> str:
        """Say what would make a point that no combination has one of the nearest."""
        nearest = misfit(self._layout, point, self._could_be)
        words = zip(("also has", "has no"), self._names_of(nearest), strict=True)
        said = [f"{word} {' and '.join(map(repr, names))}" for word, names in words if names]
        shared = [f"{name} {point[name]!r}" for name in self.names if name in nearest.constants]
        which = f", with {' and '.join(shared)}," if shared else ""
        return f". The nearest one{which} {', and '.join(said)}" if said else ""

    def _could_be(self, index: int, value: Any) -> bool:
        """Tell whether a value fits an occurrence apart from its range."""
        leaf = self._layout.occurrences[index].parameter
        if isinstance(leaf, DiscreteParameterRange):
            return leaf.table.index_of(value) is not None
        return True

    # ---------------------------------------------------------------- stored forms

    def encode(self, point: Mapping[str, Any]) -> list[float | None]:
        """Return a point as numbers in the order of `names`: choices by index, None for absent names."""
        return self._codec.encode(point)

    def decode(self, row: Sequence[float | None]) -> Point:
        """Return the point that `encode` wrote."""
        return self._codec.decode(row)

    def key(self, point: Mapping[str, Any]) -> tuple[float | None, ...]:
        """Return a hashable that two points share only when they are equal, types included."""
        return tuple(self._codec.encode(point))

    def to_dict(self) -> dict[str, Any]:
        """Return a form of JSON values only.

        Choices are stored with index, label and type, and with their value where JSON can hold it.
        """
        form = space_to_json(self._layout, self._limits, {name: leaf.range for name, leaf in self._changed.items()})
        if self._priors:
            form["priors"] = {name: prior.to_json() for name, prior in self._priors.items()}
        return form

    @classmethod
    def from_dict(
        cls, form: Mapping[str, Any], choices: Mapping[str, Sequence[Any]] | None = None, *, may_lack: bool = False
    ) -> Space:
        """Return the space that `to_dict` wrote.

        Parameters
        ----------
        form : mapping
            What `to_dict` returned.
        choices : mapping of str to sequence, optional
            The declared values of parameters whose choices JSON cannot hold. Without them such choices
            become place holders that show their label; see `lost_choices`.
        may_lack : bool, default False
            Whether the last of them may be missing, as those that were added later; they become place holders then.

        Raises
        ------
        ValueError
            When the given choices are not the stored ones.
        """
        parameters, limits, changed = space_from_json(form, choices or {}, may_lack=may_lack)
        space = cls(parameters, limits)
        ranges = {
            name: tuple(choices_at(space.leaf(name).declared, range_))
            if space.leaf(name).kind == "choice"
            else tuple(range_)
            for name, range_ in changed.items()
        }
        stored = form.get("priors", {})
        priors = {name: Prior.from_json(space.leaf(name), prior) for name, prior in stored.items()}
        if ranges:
            space = space.with_ranges(ranges)
        return space._with_changed(space._changed, priors) if priors else space  # noqa: SLF001 -- of this very class

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Space):
            return NotImplemented
        return (
            self.parameters == other.parameters
            and self._limits == other._limits
            and self._priors == other._priors
            and list(self._options.leaves.values()) == list(other._options.leaves.values())
        )

    def __hash__(self) -> int:
        return hash((self.parameters, tuple(self._options.leaves.values())))

    def __repr__(self) -> str:
        return f"Space({list(self._options.leaves.values())!r})"


def _rebuild(
    parameters: tuple[Parameter, ...], limits: Limits, changed: dict[str, LeafParameter], priors: dict[str, Prior]
) -> Space:
    return Space(parameters, limits)._with_changed(changed, priors)  # noqa: SLF001 -- what pickle calls for the class


def _identities(leaf: LeafParameter) -> tuple[Hashable, ...]:
    """Return what tells the declared choices apart; nothing for numbers."""
    return leaf.table.identities if isinstance(leaf, DiscreteParameterRange) else ()
