"""Imports go one way through the packages, and costly dependencies stay in those that need them."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PACKAGE = Path(__file__).resolve().parent.parent / "hpo_widgets"
PYPROJECT = PACKAGE.parent / "pyproject.toml"

# The packages in layers, from the top down: what stands in one may import from those below, never from its neighbours.
LAYERS = (
    {"__main__", "__init__"},
    {"cli"},
    {"widget", "testing"},
    {"optimizer"},
    {"controller", "clearml_sdk"},
    {"engines", "viewer"},
    {"journal", "strategies", "search"},
    {"trials"},
    {"space"},
    {"objectives", "parameters"},
    {"_messages"},
)
LAYER_OF = {name: depth for depth, names in enumerate(LAYERS) for name in names}
MOST_NAMES = 18
"""So many names a reader meets at the top level of the package at most."""


@dataclass(frozen=True)
class Import:
    """One import: who imports what, and when it happens."""

    importer: str
    imported: str
    when: str  # "start", "use" (inside a function) or "types" (under TYPE_CHECKING)
    line: int

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def imports_of(module: str, tree: ast.Module) -> list[Import]:
    found: list[Import] = []

    def visit(node: ast.AST, when: str) -> None:
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno} imports by dots; the package's imports are absolute"
            # `from package import module` is an import of the module.
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in full]
        found.extend(Import(module, name, when, node.lineno) for name in names)
        for_types = node.body if is_type_checking(node) else []
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, (ast.stmt, ast.excepthandler, ast.match_case)):
                continue  # no import is inside an expression
            if child in for_types:
                visit(child, "types")
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and when == "start":
                visit(child, "use")
            else:
                visit(child, when)

    visit(tree, "start")
    return found


@cache
def all_imports() -> list[Import]:
    return [found for module in sorted(MODULES) for found in imports_of(module, tree_of(module))]


def inner(imports: list[Import]) -> list[Import]:
    """Those of the package's own modules."""
    return [found for found in imports if found.imported in MODULES]


def outer() -> list[Import]:
    """Imports of what is installed beside the package."""
    ours = {"hpo_widgets", *sys.stdlib_module_names}
    return [found for found in all_imports() if found.imported.split(".")[0] not in ours]


def top(module: str) -> str:
    """The name of a module's package or, where it stands alone, its own."""
    return [*module.split("."), "__init__"][1]


def test_every_package_has_its_layer():
    there = {top(module) for module in MODULES}
    assert there - set(LAYER_OF) == set(), "give these a layer in LAYERS, and in docs/architecture.md"
    assert set(LAYER_OF) <= there


def too_many_names(files: list[str]) -> list[str]:
    """What stands directly in the package, where it is more than a reader should meet there."""
    names = {Path(name).parts[1] for name in files} - {"py.typed"}
    return sorted(names) if len(names) > MOST_NAMES else []


def test_the_top_level_stays_small():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "hpo_widgets"],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert too_many_names([name for name in listed if (PACKAGE.parent / name).exists()]) == []


def test_one_name_too_many_is_found():
    files = ["hpo_widgets/py.typed", *(f"hpo_widgets/package_{number}/module.py" for number in range(MOST_NAMES))]
    assert too_many_names([*files, "hpo_widgets/package_0/another.py"]) == []
    assert "one_more.py" in too_many_names([*files, "hpo_widgets/one_more.py"])


def upward(imports: list[Import]) -> list[str]:
    """Imports that do not go down the layers."""
    return [
        str(found)
        for found in inner(imports)
        if top(found.importer) != top(found.imported) and LAYER_OF[top(found.importer)] >= LAYER_OF[top(found.imported)]
    ]


def test_imports_go_down_the_layers_only():
    assert upward(all_imports()) == []


@pytest.mark.parametrize(
    ("importer", "statement"),
    [
        pytest.param("space.space", "from hpo_widgets.trials.trial import Trial", id="from a higher layer"),
        pytest.param("engines.base", "from hpo_widgets.viewer import SearchViewer", id="from a neighbour"),
        pytest.param("search.limits", "from hpo_widgets import Race", id="through the names for users"),
        pytest.param("search.limits", "import hpo_widgets", id="all names for users"),
    ],
)
@pytest.mark.parametrize("place", ["{}", "def f():\n    {}", "if TYPE_CHECKING:\n    {}"])
def test_an_import_upwards_is_found(importer, statement, place):
    (made_up,) = imports_of(f"hpo_widgets.{importer}", ast.parse(place.format(statement)))
    assert upward([made_up]) == [str(made_up)]


def cycles(imports: list[Import], *, with_types: bool = False) -> list[str]:
    """The circles in a graph of modules, one at a time."""
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in inner(imports):
        # A module's own package is being imported already; it is a cycle where the package imports back for names.
        if found.imported != found.importer and (with_types or found.when != "types"):
            graph[found.importer].add(found.imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def test_no_module_needs_itself_to_be_imported():
    assert cycles(all_imports()) == []


@pytest.mark.parametrize("place", ["{}", "class C:\n    def f(self):\n        if self:\n            {}"])
def test_a_cycle_is_found(place):
    there = imports_of("hpo_widgets.space.prior", ast.parse("from hpo_widgets.space.space import Space"))
    back = imports_of("hpo_widgets.space.space", ast.parse(place.format("from hpo_widgets.space import prior")))
    assert cycles(there) == cycles(back) == []
    assert [sorted(set(found.split(" <- "))) for found in cycles([*there, *back])] == [
        ["hpo_widgets.space.prior", "hpo_widgets.space.space"]
    ]


def test_types_make_no_cycle_between_packages():
    across = [found for found in all_imports() if top(found.importer) != top(found.imported)]
    assert cycles(across, with_types=True) == []


def test_one_concept_has_one_name():
    homes: dict[str, list[str]] = {}
    for module in sorted(MODULES):
        for node in tree_of(module).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name.lstrip("_"), []).append(module)

    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}


@pytest.mark.parametrize(
    ("package", "allowed"),
    [
        pytest.param("clearml", r"(engines\.clearml|clearml_sdk)(\..*)?", id="clearml"),
        pytest.param("optuna", r"strategies\.(optuna|bohb)(\..*)?|widget\.plots\.importance", id="optuna"),
        pytest.param("ipywidgets", r"widget(\..*)?", id="ipywidgets only in the widget"),
        pytest.param("bqplot", r"widget(\..*)?", id="bqplot only in the widget"),
        pytest.param("anywidget", r"widget(\..*)?", id="anywidget only in the widget"),
    ],
)
def test_a_costly_dependency_stays_in_the_packages_that_need_it(package, allowed):
    astray = [
        str(found)
        for found in outer()
        if found.imported.split(".")[0] == package
        and found.when != "types"
        and not re.fullmatch(allowed, found.importer.removeprefix("hpo_widgets."))
    ]
    assert astray == []


def test_pandas_is_imported_where_a_frame_is_asked_for_and_never_at_start():
    at_start = [str(found) for found in outer() if found.imported.split(".")[0] == "pandas" and found.when == "start"]
    assert at_start == []


def requirement_names(requirements: list[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", Requirement(text).name).lower() for text in requirements}


def test_what_is_imported_is_a_declared_dependency():
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    core = requirement_names(project["dependencies"])
    optional = requirement_names([text for extra in project["optional-dependencies"].values() for text in extra])
    homes = importlib.metadata.packages_distributions()

    def declared(found: Import) -> bool:
        names = {re.sub(r"[-_.]+", "-", name).lower() for name in homes.get(found.imported.split(".")[0], [])}
        # The ClearML server is for whoever has the extra: it says so itself when the extra is missing.
        at_start = found.when == "start" and not found.importer.startswith("hpo_widgets.testing.clearml_server.")
        return bool(names & (core if at_start else core | optional))

    undeclared = [str(found) for found in outer() if found.when != "types" and not declared(found)]
    assert undeclared == []


COSTLY = (
    "anywidget",
    "bqplot",
    "clearml",
    "ipywidgets",
    "IPython",
    "matplotlib",
    "optuna",
    "pandas",
    "sklearn",
    "torch",
)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        pytest.param("import hpo_widgets", (*COSTLY, "numpy"), id="the package"),
        pytest.param(
            "from hpo_widgets import HyperParameterOptimizer, UniformParameterRange, RandomSearch, GridSearch",
            COSTLY,
            id="a headless search",
        ),
        pytest.param(
            "from hpo_widgets import OptimizerWidget", ("clearml", "optuna", "sklearn", "torch"), id="the widget"
        ),
        pytest.param("from hpo_widgets import report_scalar", (*COSTLY, "numpy"), id="a script's report"),
        pytest.param("import hpo_widgets.engines.local.worker", COSTLY, id="a worker"),
    ],
)
def test_an_import_loads_no_costly_package_that_it_does_not_need(statement, absent):
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert set(absent) & set(done.stdout.split()) == set()
