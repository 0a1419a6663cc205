"""Which Tasks a request asks for: the filters of ``tasks.get_all``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hpo_widgets.testing.clearml_server._api.documents import MISSING, Document, as_list, pattern, value_at
from hpo_widgets.testing.clearml_server._api.errors import bad_request

if TYPE_CHECKING:
    from hpo_widgets.testing.clearml_server._api.store import Store

Test = Callable[[Document], bool]

_PATTERNS = ("name", "comment")
_LISTS = ("status", "type", "user", "project", "parent", "execution.queue")
_TAGS = ("tags", "system_tags")
_TIMES = ("created", "started", "completed", "last_update", "last_change", "status_changed", "published")
_HIDDEN = "hidden"
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": lambda left, right: bool(left >= right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    "<": lambda left, right: bool(left < right),
}


def matching_tasks(store: Store, data: Document) -> list[Document]:
    """The Tasks that a request asks for, in order of creation.

    An index finds the candidates: ids first, else parents, else projects.
    """
    ids = _ids(data)
    if ids:
        found: Iterable[Document] = store.tasks.of_ids(ids)
    elif _only_names(data.get("parent")):
        found = store.tasks.of("parent", as_list(data["parent"]))
    elif _only_names(data.get("project")):
        found = store.tasks.of("project", as_list(data["project"]))
    else:
        found = store.tasks
    tests = list(_tests(data))
    if not ids and not data.get("search_hidden"):
        tests.append(lambda task: _HIDDEN not in task["system_tags"])
    return [task for task in found if all(test(task) for test in tests)]


def _ids(data: Document) -> list[str]:
    ids = data.get("id")
    if ids is None:
        return []
    if isinstance(ids, dict) or not all(isinstance(one, str) for one in as_list(ids)):
        raise bad_request(16, "Invalid value for fields", "invalid value type, string expected", field="id", value=ids)
    return as_list(ids)


def _only_names(value: Any) -> bool:
    """Whether a filter is a plain list of ids, which an index can answer."""
    values = as_list(value)
    return bool(value) and all(isinstance(one, str) and one and one[0] not in "-_" for one in values)


def _tests(data: Document) -> Iterable[Test]:
    for name in _PATTERNS:
        if isinstance(data.get(name), str) and data[name]:
            yield _in_fields([name], data[name])
    for name in _LISTS:
        if data.get(name):
            yield _one_of(name, as_list(data[name]))
    for name in _TAGS:
        if data.get(name):
            yield _tagged(name, as_list(data[name]))
    for name in _TIMES:
        for condition in as_list(data.get(name) or []):
            yield _compared(name, condition)
    wanted = data.get("_all_")
    if isinstance(wanted, dict) and wanted.get("pattern"):
        yield _in_fields(wanted["fields"], wanted["pattern"])


def _in_fields(fields: Iterable[str], text: str) -> Test:
    expression = pattern(text)
    paths = [field.split(".") for field in fields]

    def test(task: Document) -> bool:
        values = [value_at(task, path) for path in paths]
        return all(value is not MISSING and any(map(expression.search, map(str, as_list(value)))) for value in values)

    return test


def _one_of(name: str, values: list[Any]) -> Test:
    path = name.split(".")
    unwanted = {one[1:] for one in values if isinstance(one, str) and one.startswith("-")}
    wanted = {one for one in values if not (isinstance(one, str) and one.startswith("-"))}

    def test(task: Document) -> bool:
        value = value_at(task, path)
        value = None if value is MISSING else value
        return value not in unwanted and (not wanted or value in wanted)

    return test


def _tagged(name: str, values: list[str]) -> Test:
    everything = any(one in {"__$all", "__$and"} for one in values)
    words = [one for one in values if not one.startswith("__$")]
    unwanted = {one[1:] for one in words if one.startswith("-")}
    wanted = {one for one in words if not one.startswith("-")}

    def test(task: Document) -> bool:
        tags = set(task.get(name, ()))
        if tags & unwanted:
            return False
        return wanted <= tags if everything else not wanted or bool(wanted & tags)

    return test


def _compared(name: str, condition: Any) -> Test:
    text = str(condition)
    sign = next((one for one in _COMPARISONS if text.startswith(one)), ">=")
    moment = datetime.fromisoformat(text.removeprefix(sign).strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    compare = _COMPARISONS[sign]

    def test(task: Document) -> bool:
        value = task.get(name)
        return value is not None and compare(value, moment)

    return test
