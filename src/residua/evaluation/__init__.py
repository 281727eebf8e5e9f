"""What trained networks are worth on images: metrics, test-time views, ensembles."""

from residua.evaluation.evaluate import Evaluation, evaluate, over_runs
from residua.evaluation.inspect import inspect_run
from residua.evaluation.views import View, make_views

__all__ = ["Evaluation", "View", "evaluate", "inspect_run", "make_views", "over_runs"]
