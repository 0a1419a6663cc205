"""Numbers, durations and states in words: one place, no locale, the same everywhere in the panel."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any

from hpo_widgets._messages import NO_VALUE as NO_VALUE  # noqa: PLC0414 -- a word of the panel, too
from hpo_widgets._messages import counted as counted  # noqa: PLC0414 -- likewise
from hpo_widgets._messages import number as number  # noqa: PLC0414 -- likewise
from hpo_widgets._messages import short as short  # noqa: PLC0414 -- likewise
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.choices import choice_label
from hpo_widgets.search import OpensAgain, SearchStatus
from hpo_widgets.search.as_code import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hpo_widgets.objectives import Objective
    from hpo_widgets.search import Search
    from hpo_widgets.space import Space
    from hpo_widgets.trials import Trial, TrialState


def duration(minutes: float) -> str:
    """Minutes as ``m:ss``, from an hour on as ``h:mm:ss``, from a day on with the days before it.

    >>> duration(1.2), duration(75.5), duration(4000)
    ('1:12', '1:15:30', '2 d 18:40:00')
    """
    seconds = max(0, round(minutes * 60))
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3600)
    if days:
        return f"{days} d {hours}:{seconds // 60:02}:{seconds % 60:02}"
    if hours:
        return f"{hours}:{seconds // 60:02}:{seconds % 60:02}"
    return f"{seconds // 60}:{seconds % 60:02}"


def clock(at: float) -> str:
    """Unix seconds as local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def day_and_clock(at: float) -> str:
    """Unix seconds as local day and time of day; a dash where they are none, as a journal may hold any number."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return NO_VALUE


def objective(one: Objective) -> str:
    """``minimise validation / loss``: the direction and the scalar."""
    return f"{'minimise' if one.minimise else 'maximise'} {axis(one)}"


def axis(one: Objective) -> str:
    """Name the scalar as an axis shows it, with "best of all reports" where that is meant."""
    name = f"{one.title} / {one.series}" if one.title != one.series else one.title
    if one.is_global:
        return f"{name} ({'lowest' if one.minimise else 'highest'} report)"
    return name


def labels(names: Sequence[str]) -> dict[str, str]:
    """Map each name to its label: the name without its section, unless another name would look the same."""
    short = [name.rpartition("/")[2] for name in names]
    return {name: tail if tail and short.count(tail) == 1 else name for name, tail in zip(names, short, strict=True)}


def shorts(words: Sequence[str], most: int) -> list[str]:
    """Shorten texts that stand side by side; those that would look alike lose what they begin with in common.

    >>> shorts(["resnet50 small", "resnet50 large", "vgg"], 8)
    ['…small', '…large', 'vgg']

    Parameters
    ----------
    words
        The texts.
    most
        Greatest number of characters of each.

    Returns
    -------
    list of str
        One for each text.
    """
    alike: dict[str, list[str]] = {}
    for word in dict.fromkeys(words):
        alike.setdefault(short(word, most), []).append(word)
    shown: dict[str, str] = {}
    for cut, group in alike.items():
        begin = _where_they_differ(group, most - 2)
        shown |= {word: cut if len(group) == 1 else short(f"…{word[begin:]}", most) for word in group}
    return [shown[word] for word in words]


def short_names(names: Sequence[str], most: int) -> dict[str, str]:
    """Map each name to one that fits and that no other one has.

    Those of one space often begin alike and differ at their ends, so they lose their middle; those that differ only
    there lose what they have in common before it.

    >>> short_names(["encoder_first_learning_rate", "encoder_third_learning_rate", "dropout"], 14).values()
    dict_values(['enco…first_le…', 'enco…third_le…', 'dropout'])

    Parameters
    ----------
    names
        The names.
    most
        Greatest number of characters of each, 8 or more.

    Returns
    -------
    dict
        Name to what is shown for it.
    """
    half, head = most // 2, most // 3
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        cut = name if len(name) <= most else f"{name[: most - half - 1]}…{_last_words(name, half)}"
        alike.setdefault(cut, []).append(name)
    shown: dict[str, str] = {}
    for cut, group in alike.items():
        begin = _where_they_differ(group, most - head - 2)
        for name in group:
            fit = cut if len(group) == 1 else short(name if begin <= head else f"{name[:head]}…{name[begin:]}", most)
            if fit in shown.values():
                number = f" {len(shown) + 1}"
                fit = f"{short(fit, most - len(number))}{number}"
            shown[name] = fit
    return shown


def _last_words(name: str, most: int) -> str:
    """Return the last letters of a name, without the rest of a word that begins before them, if most are of others."""
    end = name[-most:]
    if not (name[-most - 1].isalnum() and end[0].isalnum()):
        return end
    words = end.lstrip("".join(filter(str.isalnum, end)))[1:]
    return words if len(words) >= most / 2 else end


def _where_they_differ(words: Sequence[str], room: int) -> int:
    """Return where texts begin to differ, or where the word or the number begins in which they do.

    That word does not begin where they do, and the difference is among its first ``room`` characters.
    """
    common = os.path.commonprefix(words)  # noqa: RUF071 -- letters are meant, not folders
    begin = len(common.rstrip("".join(filter(str.isalnum, common))))
    return begin if begin and len(common) - begin < room else len(common)


def range_in_words(chosen: tuple[object, ...], kind: str) -> str:
    """Write a range as a person would write it: ``0.001 … 0.01``, or the choices with commas.

    Parameters
    ----------
    chosen
        (low, high), or the choices, which are told by their labels.
    kind
        The kind of parameter: ``"choice"``, ``"int"`` or ``"float"``.

    Returns
    -------
    str
        The text.
    """
    if kind == "choice":
        return ", ".join(map(choice_label, chosen))
    return " … ".join(number(float(bound)) for bound in chosen)  # type: ignore[arg-type]


def ended(counts: Mapping[TrialState, int]) -> int:
    """How many trials have ended, in whatever way."""
    return sum(count for state, count in counts.items() if state.has_ended)


# Whole numbers below this one are written in full.
_MOST_EXACT = 10**15
_LEAST_SECONDS = 0.0005


def parameter(space: Space, trial: Trial, name: str, *, digits: int = 4) -> str:
    """Value of a parameter: numbers with significant digits, choices by their label.

    Parameters
    ----------
    space
        The space, for the kind of parameter and the labels of choices.
    trial
        The trial.
    name
        The parameter's full name.
    digits
        Significant digits. Default 4.

    Returns
    -------
    str
        The text; a dash where the trial has no such parameter.
    """
    if name not in trial.parameters:
        return NO_VALUE
    leaf: Any = space.leaf(name)
    value: Any = trial.parameters[name]
    if leaf.kind != "choice":
        if leaf.kind == "int" and abs(value) < _MOST_EXACT:
            return str(int(value))
        return number(float(value), digits)
    index = leaf.table.index_of(value)
    return NO_VALUE if index is None else str(leaf.labels[index])


def as_dict(parameters: Mapping[str, object]) -> str:
    """Parameters as a dict in Python, a line each; what Python has no literal for is its label."""
    return "\n".join(["{", *(f"    {name!r}: {_literal(value)}," for name, value in parameters.items()), "}"])


def _literal(value: Any, hint: str = "") -> str:
    value = python_value(value)
    found = repr(value) if type(value) is str else literal(value, hint, _literal)
    return repr(choice_label(value)) if found is None else found


def seconds(length: float) -> str:
    """How long something took: ``12 ms``, ``1.6 s``, ``1:12``."""
    if not math.isfinite(length):
        return NO_VALUE
    if length < _LEAST_SECONDS:
        return "< 1 ms"
    if length < 0.0995:
        return f"{max(0.0, length) * 1e3:.0f} ms"
    if length < 59.95:
        return f"{length:.1f} s"
    return duration(length / 60)


def tail(lines: str, num_bytes: int) -> str:
    """Return the end of a text in at most ``num_bytes`` bytes of UTF-8, from the beginning of a line where possible.

    Parameters
    ----------
    lines
        The text.
    num_bytes
        Bytes at most, without the mark for what was cut.

    Returns
    -------
    str
        The end of the text.
    """
    data = lines.encode("utf-8", "replace")
    if len(data) <= num_bytes:
        return data.decode()
    end = data[-num_bytes:].decode("utf-8", "ignore")
    _, newline, whole = end.partition("\n")
    return f"…\n{whole if newline and whole else end}"


def sentence_of(error: str, num_bytes: int) -> str:
    """Return what happened, from an error that may be long: its last lines, of one long line the beginning.

    >>> sentence_of("ValueError: too long to be shown", 20)
    'ValueError: too long…'

    Parameters
    ----------
    error
        The error.
    num_bytes
        Bytes at most, without the mark for what was cut.

    Returns
    -------
    str
        The text.
    """
    last = error.rstrip().rpartition("\n")[2].encode("utf-8", "replace")
    return tail(error, num_bytes) if len(last) <= num_bytes else f"{last[:num_bytes].decode('utf-8', 'ignore')}…"


def opening_code(search: Search) -> str:
    """Python that shows a search again in another kernel; empty while no journal keeps it."""
    # A result that is recorded before the start makes the journal.
    has_journal = search.status is not SearchStatus.IDLE or any(search.counts.values())
    if not has_journal or not isinstance(search, OpensAgain):
        return ""
    return search.opening_code()
