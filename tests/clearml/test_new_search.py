"""The form for a new search reads the parameters of a Task, as texts on its server, and proposes ranges."""

from __future__ import annotations

import json

from hpo_widgets import HyperParameterOptimizer
from hpo_widgets.optimizer.new_search import answer
from tests.clearml.fake_worker import make_base_task

PARAMETERS = {
    "General": {"lr": ("0.001", "float"), "units": ("8", "int"), "method": ("adam", "str")},
    "Args": {"shuffle": ("True", "bool")},
}


def test_the_parameters_of_a_task_become_rows_and_the_code_a_search(api_client, project):
    task = make_base_task(api_client, project, parameters=PARAMETERS)
    source = {"kind": "task", "text": task}
    rows = answer(json.dumps({"kind": "propose", "source": source}))["rows"]
    assert {row["name"]: (row["kind"], row["low"], row["high"]) for row in rows if row["searched"]} == {
        "General/lr": ("log", "1e-05", "0.1"),
        "General/units": ("int", "4", "16"),
        "Args/shuffle": ("choice", "", ""),
    }
    form = {
        "source": source, "rows": rows, "objective": "validation/loss", "sign": "min",
        "strategy": "RandomSearch", "trials": "3", "workers": "2",
    }  # fmt: skip
    written = answer(json.dumps({"kind": "write", "form": form}))
    assert written["errors"] == {}
    scope = {}
    exec(written["code"].replace("\nOptimizerWidget(", "\nshown = (", 1), scope)
    assert isinstance(scope["shown"], HyperParameterOptimizer)
    assert scope["shown"].space.names == ("General/lr", "General/units", "Args/shuffle")
    assert scope["shown"].space.leaf("Args/shuffle").declared == (False, True)
