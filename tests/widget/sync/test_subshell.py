"""The routing of ipykernel that would make Stop wait for the running cell is switched off, where it is."""

from __future__ import annotations

from types import SimpleNamespace

from ipykernel.comm.comm import BaseComm

from hpo_widgets.widget import OptimizerWidget
from hpo_widgets.widget.sync.subshell import act_while_cell_runs


def test_the_kernels_routing_is_replaced_by_its_default():
    comm = SimpleNamespace(_reply_subshell_for=lambda _data, _default: "shell of the cell")
    assert act_while_cell_runs(SimpleNamespace(comm=comm))
    assert comm._reply_subshell_for({}, "shell of the browser") == "shell of the browser"


def test_a_comm_without_that_routing_is_left_alone():
    comm = SimpleNamespace()
    assert not act_while_cell_runs(SimpleNamespace(comm=comm))
    assert vars(comm) == {}
    assert not act_while_cell_runs(SimpleNamespace(comm=None))


def test_the_kernel_in_use_has_the_routing_that_is_known():
    assert hasattr(BaseComm, "_reply_subshell_for")


def test_everything_that_a_person_presses_or_drags_acts_while_a_cell_runs(show, search):
    panel = show(OptimizerWidget, search)
    for widget in (panel._controls, panel._space_panel, panel._status_panel):
        assert widget.comm._reply_subshell_for({}, "shell of the browser") == "shell of the browser"
