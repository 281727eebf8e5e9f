"""Where everything of a run lies in its folder; other rooms ask here or the ``RunFolder``, and spell none of it."""

from __future__ import annotations

from pathlib import Path

SPEC, RECIPE, PLAN, DATA, ENV = "spec.json", "recipe.json", "plan.json", "data.json", "env.json"
TABLES = (SPEC, RECIPE, PLAN, DATA, ENV)  # a folder with all of them is a run: it appears whole
METRICS, TIMINGS = "metrics.jsonl", "timings.jsonl"
LOGS = (METRICS, TIMINGS)
LAST, BEST = Path("checkpoints", "last.safetensors"), Path("checkpoints", "best.safetensors")
GOOD = Path("checkpoints", "good.safetensors")  # to go back to, while a training runs that may back off
WEIGHTS = "model.safetensors"  # the final ones
RESULT = "result.json"  # written last: with it, the training is complete
INSPECTION, SAMPLES, PAGE = "inspection.json", "samples.png", "report.html"  # replaceable
EVENTS = "tensorboard"


def is_run(path: Path) -> bool:
    """Whether a folder is a run."""
    return all((path / name).is_file() for name in TABLES)


def is_complete(path: Path) -> bool:
    """Whether a training was finished there: of a long grid, some keep nothing but its figures."""
    return (path / RESULT).exists()
