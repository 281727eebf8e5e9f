"""What the page may show, by the names under which it listed it: no name of a request ever becomes part of a path."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from residua.errors import ResiduaError
from residua.files import in_use, read_json
from residua.report.experiment_result import find_results, read_result
from residua.report.reproduction import title
from residua.runs.find import list_runs
from residua.runs.record import read_run
from residua.serve.refused import Refused
from residua.serve.sources import ARTIFACT

ARTIFACTS = "artifacts"  # of a run: what `residua export` writes
REPRODUCED = "reproduce"  # below the runs: what `residua reproduce` writes
FIGURE, FINDING = "figure.svg", "finding.json"  # of an analysis
_LARGEST = 16 << 20  # bytes of a file that is listed or sent


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Folders of runs and analyses; each is looked through whenever it is asked."""

    runs: Path = Path("runs")
    analyses: Path = Path("analysis")

    def run(self, name: str) -> Path:
        """The folder of a run. Raises Refused."""
        return _listed({run.path.name: run.path for run in list_runs(self.runs)}, name, "run")

    def model(self, name: str) -> Path:
        """The run, or the artifact ``RUN/ARTIFACT``, that can be shown images. Raises Refused."""
        run, slash, artifact = name.partition("/")
        folder = self.run(run)
        return _listed(_artifacts(folder), artifact, f"artifact of {run}") if slash else folder

    def experiment(self, number: str) -> Path:
        """The result of an experiment. Raises Refused."""
        return _listed(self._results(), number, "experiment")

    def figure(self, name: str) -> Path:
        """The drawing of an analysis. Raises Refused."""
        return _listed(self._figures(), name, "analysis") / FIGURE

    def run_rows(self) -> list[dict[str, Any]]:
        """The runs, the newest first."""
        return [_row(run.path) for run in reversed(list_runs(self.runs))]

    def experiment_rows(self, lang: str) -> list[dict[str, Any]]:
        """The experiments that were reproduced, with what became of them."""
        rows = []
        for key, path in self._results().items():
            try:
                result = read_result(path)
                told = {"title": title(result, lang), "verdict": result["verdict"], "scale": result["scale"]}
                told["experiment"] = result["experiment"]
            except ResiduaError as error:
                told = {"error": str(error)}
            rows.append({"id": key, **told})
        return rows

    def analysis_rows(self) -> list[dict[str, Any]]:
        """The analyses that have a drawing."""
        rows = []
        for name, folder in self._figures().items():
            try:
                found = read_json(folder / FINDING)
                rows.append({key: str(found[key]) for key in ("title", "sentence", "network")} | {"id": name})
            except (ResiduaError, KeyError, TypeError) as error:
                rows.append({"id": name, "error": f"{folder / FINDING}: {error}"})
        return rows

    def _results(self) -> dict[str, Path]:
        below = self.runs / REPRODUCED
        found = find_results(below) if below.is_dir() else []
        return {path.parent.relative_to(below).as_posix().replace("/", "~"): path for path in found}

    def _figures(self) -> dict[str, Path]:
        folders = sorted(self.analyses.iterdir()) if self.analyses.is_dir() else []
        return {f.name: f for f in folders if _plain(f / FIGURE) and _plain(f / FINDING)}


def _listed(known: dict[str, Path], name: str, what: str) -> Path:
    if name not in known:
        raise Refused(404, f"there is no {what} {name!r}")
    return known[name]


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size <= _LARGEST


def _artifacts(run: Path) -> dict[str, Path]:
    folder = run / ARTIFACTS
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: path for path in found if _plain(path / ARTIFACT)}


def _row(path: Path) -> dict[str, Any]:
    """What the list shows of a run; a damaged one says so."""
    try:
        run = read_run(path)
        state = "complete" if run.result else "running" if in_use(path) else "interrupted"
        return {
            "run": path.name,
            "state": state,
            "model": run.model,
            "data": run.dataset,
            "metric": run.metric,
            "epochs": len(run.epochs["epoch"]),
            "validation": run.last("val_accuracy") if run.metric == "accuracy" else None,
            "test": run.get(f"test_{run.metric}"),
            "seconds": run.get("seconds"),
            "parameters": run.get("parameters"),
            "artifacts": [f"{path.name}/{name}" for name in _artifacts(path)],
        }
    except ResiduaError as error:
        return {"run": path.name, "state": "damaged", "error": str(error), "artifacts": []}
