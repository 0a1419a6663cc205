"""Continues a search from its journal: in another kernel, after a crash, or just later."""

from __future__ import annotations

import math
import time
import weakref
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from hpo_widgets._messages import printable
from hpo_widgets.controller.active_trial import ActiveTrial
from hpo_widgets.controller.constraint import Constraint
from hpo_widgets.controller.state import RestoredTrials
from hpo_widgets.journal import (
    DIRECTORY,
    Journal,
    JournalError,
    JournalInUse,
    JournalNotFound,
    JournalReader,
    find,
    journal_path,
    reported_as_damage,
)
from hpo_widgets.journal.connection import remove
from hpo_widgets.journal.naming import SUFFIX, journal_place
from hpo_widgets.optimizer.definition import (
    CONTROLLER_KEYWORDS,
    TOP_K,
    Definition,
    as_recorded,
    checked_top_k,
    make_template,
    names_a_task,
    split_keywords,
)
from hpo_widgets.optimizer.task_viewer import TaskViewer
from hpo_widgets.parameters.base import python_value
from hpo_widgets.parameters.choices import identity
from hpo_widgets.search import Search
from hpo_widgets.search.as_code import Named, arguments_as_kept
from hpo_widgets.search.limits import Settings
from hpo_widgets.space import Space
from hpo_widgets.strategies.registry import named, resolve
from hpo_widgets.trials import TrialState
from hpo_widgets.viewer import SearchReplay, SearchViewer
from hpo_widgets.viewer.journal_state import JournalState
from hpo_widgets.viewer.replay import SPEED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hpo_widgets.engines.base import Recovered
    from hpo_widgets.engines.template import Template
    from hpo_widgets.objectives import Objective
    from hpo_widgets.optimizer.optimizer import HyperParameterOptimizer
    from hpo_widgets.strategies.base import SearchStrategy
    from hpo_widgets.trials import TrialRow

JOURNALS_OF_THIS_PROCESS: dict[str, Path] = {}
"""Search id to journal of every search made here, so that an id finds its file in whatever folder it is."""
SEARCHES_OF_THIS_PROCESS: weakref.WeakSet[HyperParameterOptimizer] = weakref.WeakSet()
"""Every search made here that is still in use."""


def find_journal(
    journal_or_task_id: str | Path, search: str | None = None, *, journal: str | Path | None = None
) -> Path:
    """Find a journal.

    Parameters
    ----------
    journal_or_task_id
        Its path, a directory of journals, or a search id.
    search
        The search id, where that is a directory.
    journal
        The directory, or the journal itself, in which the search is looked up by its id. Default: the one that this
        process knows, else ``.hpo_widgets``.

    Returns
    -------
    Path
        The journal's file.

    Raises
    ------
    FileNotFoundError, JournalNotFound
        When there is no file at the path; when no journal, or more than one, has the id.
    ValueError
        When ``journal`` is another place than the one that is given besides, or the address of a database.
    TypeError
        When something else is given, with its id where it is a search.
    """
    _check_names_a_search(journal_or_task_id)
    if journal is not None:
        return _find_in(journal_place(journal), journal_or_task_id, search)
    path = Path(journal_or_task_id).expanduser()
    if search is not None:
        return find(search, path)
    if path.is_file():
        return path
    if isinstance(journal_or_task_id, Path) or path.suffix == SUFFIX:
        raise FileNotFoundError(f"there is no journal at {path}")
    known = JOURNALS_OF_THIS_PROCESS.get(str(journal_or_task_id))
    return known if known is not None and known.is_file() else find(str(journal_or_task_id), DIRECTORY)


def _check_names_a_search(given: object) -> None:
    if not isinstance(given, (str, Path)):
        search = getattr(given, "search", given)  # of a panel
        its_id = f"; give its id, {search.id!r}" if isinstance(search, Search) else ""
        raise TypeError(f"a search is named by its id or the path of its journal, got {given!r:.80}{its_id}")


def _find_in(place: Path, named: str | Path, search: str | None) -> Path:
    """Find a journal in a place that is given as ``journal=``."""
    if search is not None or Path(named).expanduser().is_file():
        found = find_journal(named, search)
        if place.resolve() not in {found.resolve(), found.resolve().parent}:
            raise ValueError(f"journal={str(place)!r} and {str(named)!r} are different places: give only one of them")
        return found
    if not place.is_file():
        if place.suffix == SUFFIX and not place.is_dir():
            raise FileNotFoundError(f"there is no journal at {place}")
        return find(str(named), place)
    with closing(Journal.view(place)) as reader:
        held = reader.search_id
    if not held.casefold().startswith(str(named).casefold()):
        raise JournalNotFound(f"There is no search {str(named)!r} in {place}, which holds {held!r}.")
    return place


def replay(journal_or_task_id: str | Path, search: str | None = None, *, speed: float = SPEED) -> SearchReplay:
    """Open a search to play it back: trials appear, report and end, and ranges change, at their recorded times.

    Nothing is run, and the objective is not needed. `OptimizerWidget` shows it with a bar to play it, and from code it
    has ``play()``, ``pause()``, ``seek(seconds)``, ``set_speed(speed)`` and ``close()``.

    Parameters
    ----------
    journal_or_task_id
        A search id, a journal's path, or a directory of journals together with ``search``.
    search
        The search id, when ``journal_or_task_id`` is a directory.
    speed
        Seconds of the search that are played in one second. Default 10.

    Returns
    -------
    SearchReplay
        The search at its beginning. ``close()`` ends its thread and closes its file.

    Raises
    ------
    FileNotFoundError
        When there is no journal at the path.
    JournalError
        When there is no search of that id, with near matches, or its journal cannot be read.
    ValueError
        When the speed is not a number above 0.
    TypeError
        When something else is given, with what to write.

    Examples
    --------
    >>> OptimizerWidget(replay("digits-20261124-153012-a3f1c2", speed=100))  # doctest: +SKIP
    """
    if isinstance(search, (int, float)):
        raise TypeError(f"what follows the id names a search of a folder: write speed={search!r:.80}")
    return SearchReplay(find_journal(journal_or_task_id, search), speed=speed)


def open_search(
    kind: type[HyperParameterOptimizer],
    journal_or_task_id: str | Path,
    search: str | None,
    *,
    base_task_id: Any,
    journal: str | Path | None,
    keywords: dict[str, Any],
) -> HyperParameterOptimizer | Search:
    """Open a search again, to continue it or to look at it.

    Parameters
    ----------
    kind
        The class of a search to continue.
    journal_or_task_id, search, base_task_id, journal, keywords
        As of `HyperParameterOptimizer.open`; some of the keywords are taken out.

    Returns
    -------
    HyperParameterOptimizer or Search
        A search to continue, or a view of it.
    """
    if search is None and names_a_task(journal_or_task_id):
        return _reattach(kind, str(journal_or_task_id), base_task_id, keywords, journal)
    return _reopen(kind, find_journal(journal_or_task_id, search, journal=journal), base_task_id, keywords)


def _reopen(
    cls: type[HyperParameterOptimizer],
    path: Path,
    base_task_id: Any,
    keywords: dict[str, Any],
    *,
    kept: Mapping[str, Any] | None = None,
) -> HyperParameterOptimizer | SearchViewer:
    """Open a search by its journal; a view's `SearchViewer.start` takes it over once the process that runs it has gone.

    ``kept`` is what a server keeps of the search, from which the journal was just written, so that it has no trials
    yet; None: the journal was there.
    """
    if base_task_id is None:
        if keywords:
            msg = f"{', '.join(keywords)}: arguments need base_task_id=; without it the search can only be viewed"
            raise TypeError(msg)
        with closing(Journal.view(path)) as reader:
            return _view(path, reader.header)
    _refuse_kept(keywords)
    with closing(Journal.view(path)) as reader:
        owner = reader.owner()
        if owner is not None and owner.is_alive:
            if keywords:
                _refuse_unknown(keywords, reader.header)
            return _view(path, reader.header, lambda: _reopen(cls, path, base_task_id, dict(keywords)))
        state = JournalState.of(reader)
        state.follow(reader.events())
        header = reader.header
        own = {name: python_value(keywords.pop(name)) for name in _OF_TEMPLATES if name in keywords}
        checked_top_k(own.get(TOP_K))
        checked = {**own, "worker_env": keywords.get("worker_env")}
        template = _template(reader, base_task_id, checked, keywords.get("arguments"))
        counts = reader.counts()
        is_interrupted = (
            kept is not None
            or owner is not None
            or counts[TrialState.RUNNING] + counts[TrialState.QUEUED] > 0
            or template.has_run_beside(state.runs)
        )
        recovered: Sequence[Recovered] | None = []
        if is_interrupted:
            recovered = template.recover(reader.search_id, reader.trials()[1], state.declared_space)
    interrupted: list[TrialRow] = []
    runs_another = template.kind != header["engine"] or (
        template.kind == "script" and template.facts["script"] != header.get("script")
    )
    if is_interrupted or own or runs_another:
        with closing(Journal.open(path)) as journal:
            if owner is not None and state.run_began is not None:
                # Giving the lease back erases the owner's last heartbeat, from which the run's duration is computed.
                state.end_interrupted(owner.heartbeat)
                journal.write(events=[{"kind": "clock_set", "at": owner.heartbeat, "wall_minutes": state.wall_before}])
            if is_interrupted:
                interrupted = _reconcile(journal, recovered, state.objectives, kept)
            if own or runs_another:
                arguments = {**header["arguments"], **own}
                facts = {"engine": template.kind, "template": template.name, "arguments": arguments, **template.facts}
                journal.set_header({**header, **facts})
    with closing(Journal.view(path)) as reader:
        last_sign = None if owner is None else owner.heartbeat
        definition = _continued(reader, template, keywords, last_sign, interrupted)
    if definition.header["strategy"] != header["strategy"]:
        _record_strategy(definition)
    elif "constraint" in keywords:
        _set_header(definition)
    return cls(cast("Any", definition), definition.space.parameters)  # what it takes, though not from users


def _view(
    path: Path,
    header: Mapping[str, Any],
    again: Callable[[], HyperParameterOptimizer | SearchViewer] | None = None,
) -> SearchViewer:
    """View a search, with what a ClearML server keeps of its trials where they are Tasks."""
    return (TaskViewer if header.get("engine") == "clearml" else SearchViewer)(path, reopen=again)


def running_here(path: Path) -> HyperParameterOptimizer | None:
    """Return the search of this process that is at work on a journal; None when there is none."""
    journal = path.resolve()
    running = (search for search in list(SEARCHES_OF_THIS_PROCESS) if search.is_running())
    return next((search for search in running if search.journal_path.resolve() == journal), None)


_SETTERS = {
    "total_max_jobs": "set_total_max_jobs",
    "max_number_of_concurrent_tasks": "set_max_number_of_concurrent_tasks",
    "optimization_time_limit": "set_time_limit",
    "compute_time_limit": "set_compute_time_limit",
    "report_period": "set_report_period",
}
"""Argument that the journal keeps to the method that changes it after opening."""
KEPT = {*Settings.__dataclass_fields__, "limits", "name"}
"""Arguments of the constructor that the journal keeps, and that `open` takes in no form."""


def _refuse_kept(keywords: Mapping[str, Any]) -> None:
    """Raise a TypeError for an argument that would do nothing, as the journal keeps it."""
    kept = next((name for name in keywords if name in KEPT), None)
    if kept is not None:
        setter = _SETTERS.get(kept)
        advice = f"after opening, call {setter}" if setter else "leave it out"
        raise TypeError(f"{kept} is kept in the journal and cannot be given to open: {advice}")


def _refuse_unknown(keywords: Mapping[str, Any], header: Mapping[str, Any]) -> None:
    """Raise a TypeError for an argument that `open` does not know, before anything is done with the others."""
    others = {
        name: value
        for name, value in keywords.items()
        if name not in {*_OF_TEMPLATES, "hyper_parameters", "optimizer_class"}
    }
    split_keywords(others, _strategy_class(header, keywords.get("optimizer_class")))


def _strategy_class(header: Mapping[str, Any], optimizer_class: Any) -> type[SearchStrategy]:
    """Return the strategy's class: the one that is given to `open`, else the one that the journal names."""
    try:
        return resolve(optimizer_class) if optimizer_class else named(header["strategy"])
    except KeyError:
        msg = f"the search's strategy was {header['strategy']}; pass it as optimizer_class="
        raise TypeError(msg) from None


def _check_given(given: Space, state: JournalState) -> None:
    """Raise a ValueError where parameters that are given to `open` are not those of the journal.

    Choices that were added later may be among them, or not. Choices that JSON cannot hold are compared by
    `Space.from_dict`, by their type only: their text may hold an address.
    """
    declared, first = state.declared_space, Space.from_dict(state.header["space"], state.choices)
    for column in given.columns:
        here: Any = given.leaf(column.name)
        kept: Any = declared.leaf(column.name)
        if here.kind == kept.kind == "choice":
            num = len(here.declared)
            is_same = num in {len(first.leaf(column.name).declared), len(kept.declared)} and all(
                identity(choice) == identity(value) or not isinstance(value, str | int | float | None)
                for choice, value in zip(here.declared, kept.declared[:num], strict=True)
            )
        else:
            is_same = here == kept
        if not is_same:
            raise ValueError(
                f"the journal keeps {kept!r}, and hyper_parameters has {here!r}: "
                "give it as when the search was made, and call set_ranges after opening"
            )


def _reattach(
    cls: type[HyperParameterOptimizer],
    task_id: str,
    base_task_id: Any,
    keywords: dict[str, Any],
    directory: str | Path | None,
) -> HyperParameterOptimizer | Search:
    """Open the search of an optimizer Task, from its journal if that is on this machine, else from its Tasks."""
    from hpo_widgets.engines.clearml.optimizer_task import keeps_search_of_sdk, kept_state, refuse_living

    if keeps_search_of_sdk(task_id):
        if base_task_id is not None or keywords:
            raise TypeError(f"ClearML's own controller made the search of Task {task_id}: it can only be viewed")
        from hpo_widgets.clearml_sdk.kept import KeptSearch

        return KeptSearch(task_id)
    state = kept_state(task_id)
    search_id, header = str(state["search"]), state["header"]
    path = JOURNALS_OF_THIS_PROCESS.get(search_id) if directory is None else None
    if path is None or not path.is_file():
        path = journal_path(directory or DIRECTORY, search_id)
    is_anew = not path.is_file()
    if is_anew or not _is_at_work(path):
        refuse_living(state)
    if is_anew:
        _write_anew(path, state)
    JOURNALS_OF_THIS_PROCESS[search_id] = path
    base_task_id = base_task_id or header["clearml"]["base_task_id"]
    try:
        return _reopen(cls, path, base_task_id, keywords, kept=state if is_anew else None)
    except BaseException as error:
        if is_anew and not isinstance(error, JournalInUse):
            # Its trials may be missing: whoever opens the search next would take it for the whole of it.
            remove(path)
        raise


def _is_at_work(path: Path) -> bool:
    """Whether a journal's owner is alive, so that it is viewed here."""
    with closing(Journal.view(path)) as reader:
        owner = reader.owner()
    return owner is not None and owner.is_alive


def _write_anew(path: Path, state: Mapping[str, Any]) -> None:
    """Write a journal from what an optimizer Task keeps; its trials are added later from their Tasks."""
    header = state["header"]
    with closing(Journal.create(path, state["search"], header)) as journal:
        start = {"kind": "start", "run": state["run"], "wall_minutes": state["wall_minutes"]}
        events: list[dict[str, Any]] = [start]
        if state["epoch"]:
            # The ranges in between are not kept: one change leads to the present ones.
            events.append({"kind": "set_ranges", "epoch": state["epoch"], "first_number": 0, "space": state["space"]})
        events.append({"kind": "settings", "changes": state["settings"]})
        if state["has_own_deadline"]:
            events.append({"kind": "set_time_limit", "deadline": state["deadline"]})
        if state["left_out"]:
            events.append({"kind": "leave_out", "numbers": state["left_out"]})
        if state["is_paused"]:
            # It has not ended: it was paused when its process died, and stays so.
            events += [{"kind": "pause"}, {"kind": "clock_set", "wall_minutes": state["wall_minutes"]}]
        else:
            events.append(
                {
                    "kind": "end",
                    "code": "stopped",
                    "sentence": "its process ended; taken up again from its Tasks",
                    "wall_minutes": state["wall_minutes"],
                }
            )
        journal.write(events=events)


def _template(reader: JournalReader, base_task_id: Any, own: Mapping[str, Any], arguments: Any) -> Template:
    """Make the template with the arguments that the journal keeps, except those that are given anew."""
    header = reader.header
    template = make_template(base_task_id, arguments or header["arguments"].get("arguments"))
    recorded = dict(header["arguments"])
    if not template.limits_memory:
        recorded.pop("max_memory_per_job", None)  # the search may have run elsewhere before, where it has a meaning
    template.configure({**recorded, **own})
    template.check(JournalState(header).declared_space.names)
    template.resume(header, reader.search_id)
    return template


_OF_TEMPLATES = ("execution_queue", "spawn_project", "pool_period_min", TOP_K)
"""Arguments of the constructor that `open` takes too, for a search that goes on somewhere else."""


def _continued(
    reader: JournalReader,
    template: Template,
    keywords: dict[str, Any],
    last_sign: float | None,
    interrupted: Sequence[TrialRow],
) -> Definition:
    header = reader.header
    hyper_parameters = keywords.pop("hyper_parameters", None)
    given = None if hyper_parameters is None else Space(hyper_parameters)
    choices = {}
    if given is not None:
        choices = {column.name: given.leaf(column.name).declared for column in given.columns if column.kind == "choice"}
    state = JournalState(header, choices)
    (sequence, bulk, events), jobs = reader.whole(), reader.jobs()
    state.follow(events)
    lost = state.declared_space.lost_choices
    if lost:
        msg = (
            f"the choices of {', '.join(lost)} are objects that a journal cannot hold; "
            "pass hyper_parameters= as when the search was made, with choices that were added at the end"
        )
        raise JournalError(msg)
    if given is not None:
        for event in [one for one in events if one["kind"] == "set_ranges"][-1:]:
            # The last change holds all choices. If the given ones are not those, `follow` has passed over it: say why.
            with suppress(AttributeError, LookupError, TypeError):
                Space.from_dict(event["space"], choices, may_lack=True)
        _check_given(given, state)
    with reported_as_damage(reader.path, "a trial"):
        state.check_columns(bulk)
    if last_sign is not None:
        state.end_interrupted(last_sign)
    definition = _definition(state, template, keywords, reader)
    definition.past = RestoredTrials(state, bulk, sequence, jobs, interrupted)
    return definition


def _definition(state: JournalState, template: Template, keywords: dict[str, Any], reader: JournalReader) -> Definition:
    header = state.header
    strategy_class = _strategy_class(header, keywords.pop("optimizer_class", None))
    arguments = arguments_as_kept(header)
    recorded = {keyword: value for keyword, value in arguments.items() if keyword in strategy_class.keywords()}
    controller_keywords, strategy_keywords = split_keywords(keywords, strategy_class)
    for keyword, value in recorded.items():
        if isinstance(value, Named) and keyword not in strategy_keywords:
            msg = f"{keyword} is an object that a journal cannot hold; pass {keyword}= as when the search was made"
            raise TypeError(msg)
    constraint = _constraint(arguments, controller_keywords, state.space)
    if "constraint" in controller_keywords:
        header = _with_arguments(header, {"constraint": constraint})
        arguments = arguments_as_kept(header)
    template.check_search(state.declared_space, state.objectives)
    strategy = strategy_class(**{**recorded, "seed": header["seed"], **strategy_keywords})
    # The seed that the journal keeps may be one that nobody gave.
    strategy.is_seeded = header["is_seeded"] or strategy_keywords.get("seed") is not None
    strategy.check(state.space, state.objectives)
    if strategy_class.__name__ != header["strategy"]:
        header = _with_strategy(header, strategy, strategy_keywords)
        arguments = arguments_as_kept(header)
    return Definition(
        template=template,
        space=state.declared_space,
        objectives=state.objectives,
        strategy=strategy,
        is_seeded=strategy.is_seeded,
        settings=state.settings if template.limits_memory else replace(state.settings, max_memory_per_job=None),
        name=state.name,
        search_id=reader.search_id,
        path=reader.path,
        worker_env=controller_keywords.get("worker_env"),
        header=dict(header),
        save_top_k=header["arguments"].get(TOP_K) or 0,
        constraint=constraint,
        given={
            **arguments,
            "base_task_id": template.base_task_id,
            **controller_keywords,
            **strategy_keywords,
        },
    )


def _constraint(kept: Mapping[str, object], given: Mapping[str, Any], space: Space) -> Constraint | None:
    """Return the constraint of a search that goes on, which has to be given again."""
    if kept.get("constraint") is not None and "constraint" not in given:
        raise TypeError(
            "the search has a constraint, a function that a journal cannot hold; pass constraint= as when the search "
            "was made, or constraint=None to go on without it"
        )
    return Constraint.of(given.get("constraint"), space)


def _with_arguments(header: Mapping[str, Any], given: Mapping[str, object]) -> dict[str, Any]:
    """Return a header that keeps other values of some arguments."""
    recorded = as_recorded(given)
    kept = arguments_as_kept(header).items()
    only_named = [name for name, value in kept if isinstance(value, Named) and name not in given]
    only_named += recorded["only_named"]
    return {**header, "arguments": {**header["arguments"], **recorded["arguments"]}, "only_named": only_named}


def _with_strategy(header: Mapping[str, Any], strategy: SearchStrategy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the header of a search that goes on with another strategy; what only the earlier one takes is left out."""
    known = {*CONTROLLER_KEYWORDS, *_OF_TEMPLATES, "auto_connect_task", "always_create_task", *strategy.keywords()}
    kept = {name: value for name, value in arguments_as_kept(header).items() if name in known and name not in given}
    recorded = as_recorded(given)
    return {
        **header,
        "strategy": type(strategy).__name__,
        "strategy_title": printable(strategy.title),
        "seed": strategy.seed,
        "is_seeded": strategy.is_seeded,
        "arguments": {name: header["arguments"][name] for name in kept} | recorded["arguments"],
        "only_named": [name for name, value in kept.items() if isinstance(value, Named)] + recorded["only_named"],
    }


def _record_strategy(definition: Definition) -> None:
    """Write into the journal that a search goes on with another strategy.

    A new epoch begins, of the same ranges: points are counted by epoch, and the place that one strategy has reached in
    its sequence means nothing to another.
    """
    past = cast("RestoredTrials", definition.past)
    state, numbers = past.journal_state, past.columns["number"]
    first_number = int(numbers.max()) + 1 if len(numbers) else 0
    event = {
        "kind": "set_ranges",
        "at": time.time(),
        "step": "strategy",
        "epoch": state.ranges.number + 1,
        "first_number": first_number,
        "space": state.space.with_ages(first_number).to_dict(),
    }
    _set_header(definition, [event])
    state.follow([event])


def _set_header(definition: Definition, events: Sequence[Mapping[str, Any]] = ()) -> None:
    past = cast("RestoredTrials", definition.past)
    with closing(Journal.open(definition.path)) as journal:
        before = journal.sequence
        journal.set_header(definition.header, events)
        # What another process has written since it was read is still missing here.
        past.sequence += journal.sequence - before


def _reconcile(
    journal: Journal,
    recovered: Sequence[Recovered] | None,
    objectives: tuple[Objective, ...],
    kept: Mapping[str, Any] | None,
) -> list[TrialRow]:
    """Write into a journal what became of its trials while nobody followed them; ``kept`` is that of `_reopen`."""
    if recovered is None:
        journal.abort_interrupted()
        return []
    rows = [_brought_up_to_date(found, objectives, journal.last_owner_seen) for found in recovered]
    enqueued = [] if kept is None else _enqueued(rows, kept)
    if rows or enqueued:
        journal.write(rows, events=[{"kind": "enqueue_trial", "parameters": point} for point in enqueued])
    return [row for row in rows if not TrialState(row.state).has_ended]


def _enqueued(rows: Sequence[TrialRow], kept: Mapping[str, Any]) -> list[list[float | None]]:
    """Points that people have enqueued, for a journal written anew: those of trials, which were launched, come first.

    Points that waited when the search was kept, and were launched before its process died, are among the trials.
    """
    launched = [row.parameters for row in rows if row.enqueued]
    since = max(0, len(launched) - kept["num_enqueued_launched"])
    return [*launched, *kept["enqueued"][since:]]


def _brought_up_to_date(found: Recovered, objectives: tuple[Objective, ...], last_sign: float | None) -> TrialRow:
    trial = ActiveTrial(found.row, None, 0.0)
    trial.restore(objectives)
    if found.summary is not None:
        trial.take_summary(found.summary)
    row = trial.refresh(objectives)
    now = time.time()
    if found.state is None:
        sentence = "Aborted: the process that ran the search ended before this trial was launched."
        return trial.finish(TrialState.ABORTED, last_sign or now, found.error or sentence)
    if not found.state.has_ended:
        row.state = int(found.state)
        if found.seconds is not None and math.isnan(row.started):
            row.started = now - found.seconds
        return row
    state, error = found.state, found.error
    if state is TrialState.COMPLETED:
        error = trial.validate_objectives(objectives)
        state = TrialState.COMPLETED if error is None else TrialState.FAILED
    return trial.finish(state, now, error, found.seconds)
