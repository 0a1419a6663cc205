"""Sending a callable: pickling it, and naming what in it is in the way or too large."""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import io
import linecache
import os
import site
import sys
import sysconfig
import types
from collections import ChainMap, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DEPTH = 6
_MOST_PARTS = 200
_MOST_FILES = 50
_PLAIN = frozenset({bool, bytes, complex, float, int, str, type(None)})
_SETTINGS = frozenset({("os", "environ"), ("sys", "path")})
_READS_VARIABLES = frozenset({"copy", "get", "items", "keys", "values"})


def _beginnings(names: Iterable[str], *folders: str) -> tuple[str, ...]:
    """How the paths of files in folders begin, some of which Python knows by name."""
    return tuple({f"{folder}{os.sep}" for folder in [*map(sysconfig.get_path, names), *folders]})


_PACKAGES = _beginnings(["purelib", "platlib"], *site.getsitepackages(), site.getusersitepackages())
"""Where packages are installed."""
_NOT_OWN = (*_PACKAGES, *_beginnings(["stdlib", "platstdlib"], str(Path(__file__).parents[2])))
"""Where no module of a person's own is."""
_LARGE_PART = 1024 * 1024


def pickle_for_worker(value: object) -> bytes:
    """Pickle by reference what a worker can import, by value what lives in ``__main__``, closures and lambdas.

    The pickle is a pair: the value, and the functions and classes of ``__main__`` in it, by their names. A worker has
    them in its own ``__main__``, so that a trial can pickle its model, or pass a function to a pool of processes.
    """
    with io.BytesIO() as file:
        pickler = _Pickler(file, protocol=5)
        pickler.dump((value, pickler.of_main))
        return file.getvalue()


def _reduce_code(code: types.CodeType) -> tuple[Any, ...]:
    """As cloudpickle does it, but with the file's name, which it leaves out: tracebacks show the lines."""
    make, arguments = _reduce_without_name(code)
    return make, tuple(code.co_filename if part == "<dynamic-code>" else part for part in arguments)


_reduce_without_name = cloudpickle.Pickler.dispatch_table[types.CodeType]


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    dispatch_table: ClassVar[Any] = ChainMap({types.CodeType: _reduce_code}, cloudpickle.Pickler.dispatch_table)

    def __init__(self, file: io.BytesIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.of_main: dict[str, object] = {}
        """Functions and classes of ``__main__`` that have been pickled so far, as ``__main__`` has them."""
        self._main = vars(sys.modules["__main__"])

    def reducer_override(self, obj: Any) -> Any:
        if issubclass(type(obj), (type, types.FunctionType)) and obj.__module__ == "__main__":
            name = obj.__name__
            if self._main.get(name) is obj:
                self.of_main[name] = obj
        return super().reducer_override(obj)


def find_culprit(root: object) -> str | None:
    """Where the object that cannot be pickled sits, such as ``the global 'lock' of 'train' (a _thread.lock)``."""
    found: str | None = None
    seen: set[int] = set()
    item = root
    for _ in range(_DEPTH):
        seen.add(id(item))
        for where, part in _parts(item):
            if id(part) in seen or _size(part) is not None:
                continue
            found, item = f"{where} (a {type(part).__name__})", part
            break
        else:
            return found
    return found


def uses_shell(root: object) -> bool:
    """Whether a callable has lines with ``!`` or ``%``, or asks for the shell, of which a cell's name is a method."""
    return any(isinstance(item, types.MethodType) and item.__name__ == "get_ipython" for item in _needed_by(root))


def find_largest(root: object) -> str | None:
    """What takes the most room in the pickle, if one part stands out."""
    sizes = [(_size(part) or 0, where, part) for where, part in _parts(root)]
    if not sizes:
        return None
    size, where, part = max(sizes, key=lambda entry: entry[0])
    if size < _LARGE_PART:
        return None
    return f"{where} (a {type(part).__name__}, {size / 1e6:.0f} MB)"


def notebook_sources(root: object) -> dict[str, list[str]]:
    """Lines by file name of functions whose file is not on disk: cells of a notebook."""
    sources: dict[str, list[str]] = {}
    for item in _needed_by(root):
        name = item.__code__.co_filename if isinstance(item, types.FunctionType) else ""
        if name and name not in sources and not Path(name).exists() and (lines := linecache.getlines(name)):
            sources[name] = lines
    return sources


def libraries_of(root: object) -> list[str]:
    """Names of installed modules that a callable needs and this process has loaded.

    Those that its code imports when it runs are among them, unless it may also set variables of the environment or the
    path of modules, which may have to come first. A person's own modules are not: they may be edited before the
    callable is sent. They are sorted, so that a package comes before what is in it.
    """
    names, imported, sets_first = _modules_of(root)
    return sorted(filter(_is_installed, names if sets_first else names | imported))


def own_files_of(root: object) -> list[str]:
    """Files of a person's own modules that a callable needs, also through each other.

    They are those that this process has loaded, and those that the callable's code imports when it runs. Neither what
    is installed nor Python's own library is among them, nor a notebook, whose functions are sent as they are.
    """
    names, imported, _ = _modules_of(root)
    files: set[str] = set()
    queue = deque(names | imported)
    while queue:
        name = queue.popleft()
        file = _file_of(name)
        if not file or file in files or file.startswith(_NOT_OWN):
            continue
        files.add(file)
        for value in list(vars(sys.modules[name]).values()):
            with contextlib.suppress(Exception):  # whatever an object's attributes raise
                queue.append(value.__name__ if isinstance(value, types.ModuleType) else str(value.__module__))
    folders = [Path(path).absolute() for path in dict.fromkeys(sys.path)]
    folders = [folder for folder in folders if not f"{folder}{os.sep}".startswith(_NOT_OWN)]
    for name in imported - sys.modules.keys():
        for folder in folders:
            found = [file for file in _places_of(name, folder) if file.is_file()]
            if found:
                own = [file for file in found if not str(file).startswith(_NOT_OWN)]
                files.update(map(str, with_imports(own, folder)))
                break
    return sorted(files)


def with_imports(files: Iterable[Path], folder: Path) -> list[Path]:
    """Return Python files and those that they import, also through each other, as far as their texts say.

    Parameters
    ----------
    files
        The first ones.
    folder
        Where modules are found; those that are installed, or Python's own, are elsewhere.

    Returns
    -------
    list of Path
        Files that are there, 50 or a few more at most: they are read at the start of a search.
    """
    found = dict.fromkeys(files)
    queue = list(found)
    while queue and len(found) < _MOST_FILES:
        for file in _imported_by(queue.pop(), folder):
            if file not in found and file.is_file():
                found[file] = None
                queue.append(file)
    return list(found)


def _imported_by(file: Path, folder: Path) -> Iterator[Path]:
    """Yield where the modules would be that a file imports."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):  # whoever runs it is told
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _places_of(alias.name, folder)
        elif isinstance(node, ast.ImportFrom):
            base = [folder, *file.parents][min(node.level, len(file.parents))]
            for alias in node.names:
                yield from _places_of(f"{node.module or ''}.{alias.name}".strip("."), base)


def _places_of(name: str, folder: Path) -> Iterator[Path]:
    """Yield where a module and the packages around it would be."""
    place = folder
    for part in name.split("."):
        yield place / f"{part}.py"
        place /= part
        yield place / "__init__.py"


def _modules_of(root: object) -> tuple[set[str], set[str], bool]:
    """Names of modules that a callable uses, those that it may import when it runs, and whether it may change these."""
    names: set[str] = set()
    imported: set[str] = set()
    sets_first = False
    for item in _needed_by(root):
        home = _home_of(item)
        names.add(home)
        if isinstance(item, types.FunctionType) and not _is_installed(home):
            imported |= _imported_names(item.__code__)
            sets_first |= _may_set(item.__code__)
    return names, imported, sets_first


def _needed_by(root: object) -> Iterator[object]:
    """Yield what a callable needs, nearest first, 200 objects at most; what is installed needs no further look."""
    seen: set[int] = set()
    queue = deque([root])
    while queue and len(seen) < _MOST_PARTS:
        item = queue.popleft()
        if id(item) in seen or type(item) in _PLAIN:
            continue
        seen.add(id(item))
        yield item
        if item is root or not _is_installed(_home_of(item)):
            with contextlib.suppress(Exception):  # whatever an object's attributes raise
                queue += [part for _, part in _parts(item)]


def _home_of(item: object) -> str:
    """The name of the module that an object is, or comes from."""
    if isinstance(item, types.ModuleType):
        return item.__name__
    owner = item if isinstance(item, (types.FunctionType, types.BuiltinFunctionType, type)) else type(item)
    return owner.__module__ or ""


def _imported_names(code: types.CodeType) -> set[str]:
    """What a function's code may import, by full names; for ``from a import b`` both ``a`` and ``a.b``."""
    names: set[str] = set()
    package = ""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IMPORT_NAME":
            package = str(instruction.argval)
            names.add(package)
        elif instruction.opname == "IMPORT_FROM":
            names.add(f"{package}.{instruction.argval}")
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _imported_names(constant)
    return names


def _may_set(code: types.CodeType) -> bool:
    """Whether code may change what an import does; of ``os.environ`` it may read a value by its name."""
    used = _global_names(code)
    if "putenv" in used:
        return True
    instructions = list(dis.get_instructions(code))
    package, before = "", ("",)
    for number, instruction in enumerate(instructions):
        kind, names = instruction.opname, _names(instruction)
        if kind == "IMPORT_NAME":
            package = names[0]
        elif kind == "IMPORT_FROM" and (package, names[0]) in _SETTINGS:
            return True  # under whatever name it goes on
        elif kind.startswith("STORE_") and instructions[number - 1].opname == "IMPORT_NAME" and package == "sys":
            if names[0] != "sys" and "path" in used:
                return True
        elif "path" in names and ("sys" in before or kind == "STORE_ATTR"):  # as by ``sys.path += ...``
            return True
        elif "environ" in names and kind.startswith("LOAD_"):
            following = [*instructions[number + 1 : number + 3], instruction, instruction][:2]
            if names != ("environ",) or not _is_read(*following):
                return True
        before = names
    return any(_may_set(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))


def _names(instruction: dis.Instruction) -> tuple[Any, ...]:
    """What an instruction names; from Python 3.13 on one may load or store two local names."""
    return instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)


def _is_read(following: dis.Instruction, second: dis.Instruction) -> bool:
    """Whether what comes after ``os.environ`` only reads it: a method, an index that is one name or literal, ``in``."""
    if following.opname in {"LOAD_ATTR", "LOAD_METHOD"}:
        return following.argval in _READS_VARIABLES
    if following.opname in {"CONTAINS_OP", "DICT_UPDATE"}:
        return True
    # A subscript is an operation of two operands from Python 3.14 on.
    is_subscript = second.opname == "BINARY_SUBSCR" or (second.opname == "BINARY_OP" and second.argrepr == "[]")
    return following.opname.startswith("LOAD_") and is_subscript


def _is_installed(name: str) -> bool:
    """Whether a module is loaded here from where packages are installed."""
    return _file_of(name).startswith(_PACKAGES)


def _file_of(name: str) -> str:
    """The file of a module that is loaded here, but not of the program; empty where there is none."""
    file = None if name == "__main__" else getattr(sys.modules.get(name), "__file__", None)
    return file if isinstance(file, str) else ""


def _size(part: object) -> int | None:
    try:
        return len(cloudpickle.dumps(part, protocol=5))
    except Exception:  # noqa: BLE001 - whatever its pickling raises
        return None


def _parts(item: object) -> Iterator[tuple[str, object]]:
    """What pickling an object would take along, each with words for where it sits."""
    if isinstance(item, functools.partial):
        yield "the wrapped callable", item.func
        yield from ((f"argument {index} of the partial", part) for index, part in enumerate(item.args))
        yield from ((f"the keyword {name!r} of the partial", part) for name, part in item.keywords.items())
    elif isinstance(item, types.MethodType):
        yield f"the object of the method {item.__name__!r}", item.__self__
        yield f"the function of the method {item.__name__!r}", item.__func__
    elif isinstance(item, types.FunctionType):
        yield from _parts_of_function(item)
    elif isinstance(item, dict):
        yield from ((f"the entry {key!r}", part) for key, part in list(item.items())[:1000])
    elif isinstance(item, (list, tuple, set, frozenset)):
        yield from ((f"item {index} of a {type(item).__name__}", part) for index, part in enumerate(list(item)[:1000]))
    elif isinstance(item, type):
        if item.__module__ == "__main__":
            yield from ((f"{name!r} of the class {item.__name__!r}", part) for name, part in vars(item).items()
                        if not name.startswith("__"))  # fmt: skip
    elif not isinstance(item, types.ModuleType):
        state = getattr(item, "__dict__", None)
        if isinstance(state, dict):
            yield from ((f"the attribute {name!r} of a {type(item).__name__}", part) for name, part in state.items())
            yield f"the class {type(item).__name__!r}", type(item)


def _parts_of_function(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    name = function.__name__
    for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield f"the variable {variable!r} around {name!r}", cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for variable in sorted(_global_names(function.__code__)):
        if variable in function.__globals__:
            yield f"the global {variable!r} of {name!r}", function.__globals__[variable]
    for index, default in enumerate(function.__defaults__ or ()):
        yield f"default {index} of {name!r}", default
    for variable, default in (function.__kwdefaults__ or {}).items():
        yield f"the default of {variable!r} in {name!r}", default


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names
