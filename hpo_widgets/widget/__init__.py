"""What a person sees: the panel and its parts, each usable alone, on the `Search` protocol only."""

from __future__ import annotations

from hpo_widgets.trials.filter import TrialFilter
from hpo_widgets.widget.comparison.challenge import Challenge
from hpo_widgets.widget.comparison.searches import SearchComparison, compare
from hpo_widgets.widget.comparison.strategy_race import StrategyRace
from hpo_widgets.widget.panel import OptimizerWidget
from hpo_widgets.widget.parts.advice import AdviceLine
from hpo_widgets.widget.parts.controls import SearchCode, SearchControls
from hpo_widgets.widget.parts.details import TrialDetails
from hpo_widgets.widget.parts.space_panel import SpacePanel
from hpo_widgets.widget.parts.status import StatusPanel
from hpo_widgets.widget.parts.table import TrialTable
from hpo_widgets.widget.pictures import picture
from hpo_widgets.widget.plots.curves import CurvesPlot
from hpo_widgets.widget.plots.distribution import DistributionPlot
from hpo_widgets.widget.plots.history import HistoryPlot
from hpo_widgets.widget.plots.importance import ImportancePlot
from hpo_widgets.widget.plots.map import MapPlot
from hpo_widgets.widget.plots.parallel import ParallelPlot
from hpo_widgets.widget.plots.pareto import ParetoPlot
from hpo_widgets.widget.plots.plot import Plot
from hpo_widgets.widget.plots.slices import SlicesPlot
from hpo_widgets.widget.plots.timeline import TimelinePlot
from hpo_widgets.widget.replay_page import save_replay_html
from hpo_widgets.widget.saved_page import save_html

__all__ = [
    "AdviceLine",
    "Challenge",
    "CurvesPlot",
    "DistributionPlot",
    "HistoryPlot",
    "ImportancePlot",
    "MapPlot",
    "OptimizerWidget",
    "ParallelPlot",
    "ParetoPlot",
    "Plot",
    "SearchCode",
    "SearchComparison",
    "SearchControls",
    "SlicesPlot",
    "SpacePanel",
    "StatusPanel",
    "StrategyRace",
    "TimelinePlot",
    "TrialDetails",
    "TrialFilter",
    "TrialTable",
    "compare",
    "picture",
    "save_html",
    "save_replay_html",
]
