"""What trained networks are worth: metrics of classifiers, test-time views, ensembles; the figures of other tasks."""

from residua.evaluation.evaluate import Evaluation, evaluate, over_runs
from residua.evaluation.inspect import inspect_run
from residua.evaluation.inspect_again import inspect_again
from residua.evaluation.measure import Measurement, measure
from residua.evaluation.views import View, make_views

__all__ = [
    "Evaluation",
    "Measurement",
    "View",
    "evaluate",
    "inspect_again",
    "inspect_run",
    "make_views",
    "measure",
    "over_runs",
]
