"""The estimators on scikit-learn's own tables, beside its network and its trees: ``python -m benchmarks.tables``.

Every candidate runs by its defaults on the same folds; scikit-learn's network stands behind a ``StandardScaler``.
Scores are accuracy, or R2 of a regression. Needs the extra ``sklearn``; ``--quick`` is two folds of two tables.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import __version__ as sklearn_version
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.harness import RESULTS, where
from residua import ResidualClassifier, ResidualRegressor
from residua.files import write_json, write_text
from residua.machine import describe_machine

FOLDS = 5
# name: loader, whether it is a regression. Only what scikit-learn ships: nothing is downloaded
TABLES: dict[str, tuple[Callable[..., Any], bool]] = {
    "iris": (datasets.load_iris, False),
    "wine": (datasets.load_wine, False),
    "breast_cancer": (datasets.load_breast_cancer, False),
    "digits": (datasets.load_digits, False),
    "diabetes": (datasets.load_diabetes, True),
}
CANDIDATES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {  # of classes, of numbers
    "residua": (lambda: ResidualClassifier(random_state=0), lambda: ResidualRegressor(random_state=0)),
    "MLP": (
        lambda: make_pipeline(StandardScaler(), MLPClassifier(random_state=0)),
        lambda: make_pipeline(StandardScaler(), MLPRegressor(random_state=0)),
    ),
    "HistGradientBoosting": (
        lambda: HistGradientBoostingClassifier(random_state=0),
        lambda: HistGradientBoostingRegressor(random_state=0),
    ),
}


def measure(table: str, folds: int) -> dict[str, Any]:
    """Scores and seconds of every candidate on every fold, candidates in turns."""
    load, regression = TABLES[table]
    x, y = load(return_X_y=True)
    splitter = (KFold if regression else StratifiedKFold)(folds, shuffle=True, random_state=0)
    found: dict[str, Any] = {name: {"scores": [], "seconds": []} for name in CANDIDATES}
    for train, test in splitter.split(x, y):
        for name, makers in CANDIDATES.items():
            estimator, began = makers[regression](), time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # the defaults are compared as they are
                estimator.fit(x[train], y[train])
            found[name]["seconds"].append(time.perf_counter() - began)
            found[name]["scores"].append(float(estimator.score(x[test], y[test])))
    score = "R2" if regression else "accuracy"
    return {"table": table, "rows": len(x), "columns": x.shape[1], "score": score, "candidates": found}


def page(evidence: dict[str, Any]) -> str:
    """The Markdown page of the evidence."""
    lines = [
        "# The estimators beside scikit-learn's",
        "",
        f"`{evidence['command']}`, {evidence['date']}, {where(evidence['machine'])}, "
        f"scikit-learn {evidence['sklearn']}.",
        f"Mean and standard deviation over {evidence['folds']} folds, alike for all; every candidate by its defaults;",
        "seconds are the median of a training.",
        "",
        f"| table | rows x columns | score | {' | '.join(f'{name} | s' for name in CANDIDATES)} |",
        f"|---|---|---|{'---:|' * (2 * len(CANDIDATES))}",
    ]
    for table in evidence["tables"]:
        cells = [_cell(**found) for found in table["candidates"].values()]
        size = f"{table['rows']:,} x {table['columns']}"
        lines.append(f"| {table['table']} | {size} | {table['score']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(scores: list[float], seconds: list[float]) -> str:
    return f"{np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f} | {np.median(seconds):.2f}"


def main() -> None:
    """Measure, and write ``results/tables.json`` and the page made from it; ``--quick`` only prints the page."""
    quick = "--quick" in sys.argv[1:]
    folds, tables = (2, ["iris", "diabetes"]) if quick else (FOLDS, [*TABLES])
    evidence = {
        "schema": 1,
        "command": f"python -m benchmarks.tables {' '.join(sys.argv[1:])}".strip(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": describe_machine(),
        "sklearn": sklearn_version,
        "folds": folds,
        "tables": [measure(table, folds) for table in tables],
    }
    if quick:
        print(page(evidence))
        return
    write_json(RESULTS / "tables.json", evidence)
    write_text(RESULTS / "tables.md", page(evidence))


if __name__ == "__main__":
    main()
