"""MLflow: a run of an experiment, with the specs as parameters and every figure of an epoch as a metric."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from residua.parts import register
from residua.spec import Tracker
from residua.train.track import figures, identity, settings, tested

_ID = "residua.id"  # the tag that a resumed run is found by
_LONGEST = 500  # characters of a parameter


@register
@dataclass(frozen=True, kw_only=True)
class MLflow(Tracker):
    """``uri`` is that of the tracking server or store; None: as MLFLOW_TRACKING_URI, or MLflow itself, has it."""

    kind: ClassVar[str] = "mlflow"
    package: ClassVar[str] = "mlflow"

    experiment: str = "residua"
    uri: str | None = None

    def follow(self, run: Any, step: int) -> _Logged:  # noqa: D102
        # an address where nobody answers is given up after seconds, not minutes
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
        from mlflow import MlflowClient  # pyright: ignore[reportMissingImports]
        from mlflow.entities import Param  # pyright: ignore[reportMissingImports]

        client, mine = MlflowClient(tracking_uri=self.uri), identity(run)
        known = client.get_experiment_by_name(self.experiment)
        experiment = known.experiment_id if known else client.create_experiment(self.experiment)
        found = client.search_runs([experiment], f"tags.`{_ID}` = '{mine}'", max_results=1) if step else []
        if found:
            name = found[0].info.run_id
            client.update_run(name, "RUNNING")
            return _Logged(client, name)
        name = client.create_run(experiment, run_name=run.name, tags={_ID: mine}).info.run_id
        parameters = [Param(key, str(value)[:_LONGEST]) for key, value in settings(run).items()]
        for start in range(0, len(parameters), 100):  # the most that it takes at once
            client.log_batch(name, params=parameters[start : start + 100])
        return _Logged(client, name)


@dataclass(frozen=True)
class _Logged:
    client: Any
    run: str

    def epoch(self, line: Mapping[str, Any]) -> None:
        self._log(figures(line), line["step"])

    def close(self, result: Mapping[str, Any] | None) -> None:
        if result is not None:
            self._log(tested(result), result["steps"])
        self.client.set_terminated(self.run, "KILLED" if result is None else "FINISHED")

    def _log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric  # pyright: ignore[reportMissingImports]

        now = int(time.time() * 1000)
        self.client.log_batch(self.run, [Metric(name, value, now, step) for name, value in values.items()])
