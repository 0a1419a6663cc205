"""What gets installed: the public names, the one version, and the contents of the sdist and the wheel."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import hpo_widgets


def run(*command: str | Path, **keywords: object) -> str:
    """Run a command and hand back what it prints; what it complained of is in the failure's message."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **keywords,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


# --- Names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", hpo_widgets.__all__)
def test_every_public_name_can_be_imported_and_is_listed(name):
    assert getattr(hpo_widgets, name) is not None
    assert name in dir(hpo_widgets)


def test_an_unknown_name_is_an_attribute_error_that_says_which():
    with pytest.raises(AttributeError, match="'hpo_widgets' has no attribute 'OptimiserWidget'"):
        _ = hpo_widgets.OptimiserWidget


def test_a_star_import_brings_the_public_names():
    namespace: dict[str, object] = {}
    exec("from hpo_widgets import *", namespace)
    assert set(hpo_widgets.__all__) <= set(namespace)


def test_type_checkers_see_the_names_that_are_imported_when_used(repository):
    source = (repository / "hpo_widgets" / "__init__.py").read_text(encoding="utf-8")
    for_checkers = source[source.index("if TYPE_CHECKING:") : source.index("# Where each public name lives")]
    missing = [name for name in hpo_widgets.__all__ if not re.search(rf"\b{name}\b", for_checkers)]
    assert missing == []


# --- Version --------------------------------------------------------------------------------------------------


def version_of_the_front_end(repository: Path) -> str:
    return str(json.loads((repository / "js" / "package.json").read_text(encoding="utf-8"))["version"])


def test_python_and_the_front_end_have_one_version(repository):
    assert hpo_widgets.__version__ == version_of_the_front_end(repository)


# --- Contents -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sdist(repository, tmp_path_factory) -> Path:
    """The source distribution, made from the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    # Made with what is installed: the wheel proves that Python's part of a build can be had anywhere, and the set-up of
    # the environment that the front end's can. jlpm is beside the interpreter.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = [sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder, repository]
    run(*command, env={**os.environ, "PATH": path})
    return next(folder.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel, made from the source distribution where no npm package can be had."""
    folder = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source")
    with tarfile.open(sdist) as archive:
        archive.extractall(source, filter="data")
    nothing = tmp_path_factory.mktemp("yarn")
    variables = {
        "YARN_NPM_REGISTRY_SERVER": "http://127.0.0.1:9",
        "YARN_GLOBAL_FOLDER": str(nothing),
        "YARN_CACHE_FOLDER": str(nothing),
        "YARN_HTTP_RETRY": "0",
        "PIP_NO_COMPILE": "1",  # most of what a build requires is not imported by it
    }
    root = next(source.iterdir())
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, root, env={**os.environ, **variables})
    return next(folder.glob("*.whl"))


def views(repository: Path) -> list[str]:
    found = sorted(path.stem for path in (repository / "js" / "src" / "views").glob("*.ts"))
    assert found
    return found


@pytest.mark.slow
def test_the_sdist_holds_the_sources_and_what_was_built_of_them(sdist, repository):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    built = {f"hpo_widgets/static/{view}.js" for view in views(repository)}
    sources = {f"js/src/views/{view}.ts" for view in views(repository)}
    others = {"pyproject.toml", "README.md", "LICENSE", "js/package.json", "js/yarn.lock", "js/build.mjs", "PKG-INFO"}
    extension = {"js/src/panel/index.ts", "js/install.json", "hpo_widgets/labextension/package.json"}
    assert built | sources | others | extension <= names
    assert [name for name in names if re.search(r"node_modules|__pycache__|\.venv|\.hpo_widgets", name)] == []


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_built_views_and_nothing_else(wheel, repository):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    # Each view has a script, and styles of its own where its source has any.
    assert {f"hpo_widgets/static/{view}.js" for view in views(repository)} <= names
    styled = [view for view in views(repository) if (repository / "js" / "src" / "views" / f"{view}.css").exists()]
    assert {f"hpo_widgets/static/{view}.css" for view in styled} <= names
    assert "hpo_widgets/py.typed" in names
    modules = {str(path.relative_to(repository)) for path in (repository / "hpo_widgets").rglob("*.py")}
    assert modules <= names
    # The JupyterLab extension lies where JupyterLab looks for it, and nowhere else.
    metadata = next(name for name in names if "dist-info" in name).split("/")[0]
    shared = metadata.replace("dist-info", "data")
    folder = f"{shared}/data/share/jupyter/labextensions/hpo-widgets"
    server = f"{shared}/data/etc/jupyter/jupyter_server_config.d/hpo_widgets.json"
    settings = f"{folder}/schemas/hpo-widgets/searches.json"
    assert {f"{folder}/package.json", f"{folder}/install.json", settings, server} <= names
    assert any(re.fullmatch(rf"{re.escape(folder)}/static/remoteEntry\.\w+\.js", name) for name in names)
    assert {name for name in names if name.startswith(shared) and not name.startswith(f"{folder}/")} == {server}
    assert {name.split("/")[0] for name in names} == {"hpo_widgets", metadata, shared}
    assert [name for name in names if name.startswith("hpo_widgets/labextension")] == []
    assert [name for name in names if re.search(r"node_modules|__pycache__|\.ts$|(^|/)tests?/", name)] == []


@pytest.mark.slow
def test_jupyterlab_takes_the_extension_of_a_wheel_that_was_installed_without_node(wheel, tmp_path):
    nothing = tmp_path / "no-node"
    nothing.mkdir()
    environment = {**os.environ, "PATH": str(nothing), "JUPYTER_PATH": str(tmp_path / "share" / "jupyter")}
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    run(*pip, "--ignore-installed", "--prefix", tmp_path, wheel, env=environment)
    said = run(sys.executable, "-m", "jupyterlab.labextensions", "list", env=environment, cwd=tmp_path)
    said = re.sub(r"\x1b\[\d*m", "", said)
    folder = str(tmp_path / "share" / "jupyter" / "labextensions")
    ours = said[said.index(folder) :].splitlines()[1]
    assert re.search(rf"hpo-widgets v{re.escape(hpo_widgets.__version__)} enabled OK \(python, hpo_widgets\)", ours)


def test_the_extension_has_one_name_in_python_and_in_the_front_end(repository):
    (path,) = hpo_widgets._jupyter_labextension_paths()
    package = json.loads((repository / "js" / "package.json").read_text(encoding="utf-8"))
    assert path["dest"] == package["name"]
    assert (repository / "js" / package["jupyterlab"]["outputDir"]).resolve() == repository / "hpo_widgets" / path[
        "src"
    ]


def test_no_view_is_left_out_of_what_a_build_must_have_made(repository):
    pyproject = (repository / "pyproject.toml").read_text(encoding="utf-8")
    assert [view for view in views(repository) if f'"hpo_widgets/static/{view}.js"' not in pyproject] == []


# --- A clean environment ---------------------------------------------------------------------------------------


def required(requirements: list[str], extras: frozenset[str] = frozenset()) -> set[str]:
    """The names of all distributions that these requirements bring, each with its own requirements."""
    found: set[str] = set()
    todo = [(Requirement(text), extras) for text in requirements]
    done = set()
    while todo:
        requirement, outer = todo.pop()
        asked = [{"extra": extra} for extra in outer] or [{"extra": ""}]
        if requirement.marker and not any(requirement.marker.evaluate(extra) for extra in asked):
            continue
        name, inner = requirement.name.lower(), frozenset(requirement.extras)
        if (name, inner) in done:
            continue
        done.add((name, inner))
        found.add(name)
        todo.extend((Requirement(text), inner) for text in importlib.metadata.requires(name) or ())
    return found


@pytest.fixture(scope="module")
def clean_python(wheel, tmp_path_factory) -> Path:
    """An interpreter that sees the wheel and the distributions that the wheel requires, and nothing else.

    They are links to what is installed here already: as clean as an environment that pip fills, and made in a second.
    """
    folder = tmp_path_factory.mktemp("clean") / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        requires = importlib.metadata.PathDistribution(site / metadata.split("/", maxsplit=1)[0]).requires or []
    for name in required(requires):
        distribution = importlib.metadata.distribution(name)
        for entry in {file.parts[0] for file in distribution.files or () if file.parts[0] not in {"..", "__pycache__"}}:
            if not (site / entry).exists():
                (site / entry).symlink_to(distribution.locate_file(entry))
    return python


@pytest.mark.slow
def test_the_wheel_works_where_only_its_requirements_are_installed(clean_python, tmp_path):
    program = f"""
import sys
from pathlib import Path

import hpo_widgets
assert Path(hpo_widgets.__file__).is_relative_to({str(clean_python.parent.parent)!r}), hpo_widgets.__file__
from hpo_widgets import *
from hpo_widgets import HyperParameterOptimizer, OptimizerWidget
static = Path(hpo_widgets.__file__).parent / "static"
assert (static / "space.js").stat().st_size > 0
assert "sklearn" not in sys.modules and "pytest" not in sys.modules
print(hpo_widgets.__version__)
"""
    # -I: neither the working directory nor the variables of this environment.
    assert run(clean_python, "-I", "-c", program, cwd=tmp_path).strip() == hpo_widgets.__version__


@pytest.mark.slow
def test_the_clean_environment_is_clean(clean_python, tmp_path):
    program = "import importlib.util; print(importlib.util.find_spec('pytest'), importlib.util.find_spec('sklearn'))"
    assert run(clean_python, "-I", "-c", program, cwd=tmp_path).strip() == "None None"


@pytest.mark.slow
def test_a_search_runs_in_a_clean_environment(clean_python, tmp_path):
    (tmp_path / "search.py").write_text(
        """
from hpo_widgets import HyperParameterOptimizer, RandomSearch, UniformParameterRange

optimizer = HyperParameterOptimizer(
    base_task_id=lambda x: (x - 0.5) ** 2,
    hyper_parameters=[UniformParameterRange("x", 0.0, 1.0)],
    optimizer_class=RandomSearch,
    max_number_of_concurrent_tasks=1,
    total_max_jobs=3,
)
optimizer.start()
assert optimizer.wait()
print(len(optimizer.get_top_experiments(top_k=10)))
""",
        encoding="utf-8",
    )
    assert run(clean_python, "-I", tmp_path / "search.py", cwd=tmp_path).splitlines()[-1] == "3"


@pytest.mark.slow
def test_the_command_line_is_installed(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "hpo-widgets = hpo_widgets.cli:main" in archive.read(name).decode()
