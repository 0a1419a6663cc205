"""What docs/clearml.md says is so: its blocks run in their order, its settings and commands exist."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from clearml import Task
from clearml.utilities.pyhocon import ConfigFactory
from clearml_agent.interface import get_parser

from tests.clearml.fake_worker import make_base_task

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "clearml.md").read_text(encoding="utf-8")
SMALLER = {"total_max_jobs=40": "total_max_jobs=3", "set_total_max_jobs(50)": "set_total_max_jobs(5)"}

AS_CELLS = """
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in {cells!r}:
    shell.run_cell(cell).raise_error()
"""


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def run(script, project, queue):
    """``run(*cells)`` runs blocks as a kernel would, on the test's project and queue, and gives what they print."""

    def make(*cells):
        source = AS_CELLS.format(cells=cells)
        for written, meant in {**SMALLER, '"my project/': f'"{project}/', '"default"': f'"{queue}"'}.items():
            source = source.replace(written, meant)
        return script(source).stdout

    return make


@pytest.mark.slow
def test_the_blocks_run_in_their_order(run, project, api_client, worker, tmp_path):
    parameters = {"lr": ("0.001", "float"), "units": ("4", "int"), "x": ("0.5", "float")}
    make_base_task(api_client, project, parameters={"General": parameters})
    _, search, in_another_kernel, rehearsal, server = blocks("python")

    # Trials end once the panel is shown, which is to be that of a running search.
    is_shown = tmp_path / "shown"
    worker.gate = SimpleNamespace(is_set=is_shown.exists, set=is_shown.touch)
    end = "open('shown', 'w').close(); optimizer.wait(); print(optimizer.stop_reason)"

    said = run(search, end, rehearsal, "print(second.stop_reason)", server)

    assert "Search 'train' was running" in said
    assert "all 3 trials of the budget" in said
    assert "all 8 trials of the budget" in said
    assert "dict_keys(['CLEARML_API_HOST'" in said

    [task] = Task.get_tasks(project_name=project, task_filter={"type": ["optimizer"]})
    assert "all 5 trials of the budget" in run(in_another_kernel.replace("id of the search's Task", task.id))
    trials = Task.get_tasks(task_filter={"parent": task.id})
    assert len(trials) == 5
    assert {trial.get_status() for trial in trials} == {"completed"}
    assert len(worker.taken) == 5 + 3  # those, and what was dispatched after the rehearsal


@pytest.mark.slow
def test_the_script_that_is_shown_becomes_a_template_that_fits_the_search_that_is_shown(script, project):
    template, search, *_ = blocks("python")

    script(template.replace('"my project"', f'"{project}"'), name="train.py")

    definition = search[: search.index("optimizer.start()")].replace('"my project/', f'"{project}/')
    names: dict[str, object] = {}
    exec(definition.replace("always_create_task=True", "auto_connect_task=False"), names)
    assert names["optimizer"].errors == []  # names, types and scalar could all be compared


# A kernel that has a Task, and what an agent runs with the kernel's environment and without the variables.
KERNEL = """
import json, os, subprocess, sys
from clearml import Task

trial = Task.create("{project}", "trial").id
task = Task.init("{project}", "kernel")
reporting = []
for left_out in ([], {names!r}):
    environment = {{name: value for name, value in os.environ.items() if name not in left_out}}
    environment |= {{"CLEARML_TASK_ID": trial, "CLEARML_LOG_TASK_TO_BACKEND": "1"}}
    init = "from clearml import Task; print(Task.init('{project}', 'trial').id)"
    ran = subprocess.run([sys.executable, "-c", init], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    reporting.append([name for name, id_ in (("kernel", task.id), ("trial", trial)) if id_ in ran.stdout.split()])
task.close()
print(json.dumps(reporting))
"""


@pytest.mark.slow
def test_a_trial_that_inherits_the_variables_that_are_named_reports_to_the_kernels_task(script, project):
    [options] = re.findall(r"env ((?:-u \w+ )+)clearml-agent daemon", GUIDE)
    names = options.replace("-u", "").split()
    assert script(KERNEL.format(project=project, names=names)).said == [["kernel"], ["trial"]]


def test_the_setting_for_short_trials_is_one():
    [setting] = blocks("hocon")

    assert ConfigFactory.parse_string(setting)["sdk.development.report_use_subprocess"] is False


def test_commands_exist():
    commands = "".join(blocks("sh"))

    for module in re.findall(r"python -m ([\w.]+)", commands):
        assert importlib.util.find_spec(module) is not None, module
    [agent] = re.findall(r"clearml-agent (.*)", commands)
    assert get_parser().parse_args(agent.split()).create_queue
    assert (ROOT / "tests" / "clearml").is_dir()
    assert re.findall(r"pytest (\S+)", commands) == ["tests/clearml"]


def test_the_packages_that_the_server_in_memory_needs_are_those_of_the_extra_that_is_named():
    section = GUIDE[GUIDE.index("## Without a server") :]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

    [extra] = re.findall(r"pip install '\.\[(\w+)\]'", section)

    assert {"tornado", "pyjwt"} <= {re.match(r"[\w-]+", package)[0] for package in extras[extra]}


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#]+)", GUIDE)

    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
