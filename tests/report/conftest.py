"""Synthetic run folders: everything that the report reads, planted."""

import base64
import io
import json
import math
import random
from pathlib import Path

import pytest
from PIL import Image

from residua.report.render import page
from residua.report.translation import translator

CLASSES = [str(i) for i in range(10)]


def png(seed: int = 0, size: int = 8, mode: str = "L") -> str:
    """A PNG of noise as base64 text."""
    random_bytes = random.Random(seed).randbytes(size * size * len(mode))
    out = io.BytesIO()
    Image.frombytes(mode, (size, size), random_bytes).save(out, "png")
    return base64.b64encode(out.getvalue()).decode()


def answer(true: str, predicted: str) -> dict:
    """A wrong answer with its picture."""
    return {"true": true, "predicted": predicted, "confidence": 0.8, "path": None, "png": png(30)}


def inspection(classes: list[str], *, each: int = 36, units: int = 9, kind: str = "residual") -> dict:
    k = len(classes)
    rng = random.Random(k)
    confusion = [[0] * k for _ in range(k)]
    for i in range(k):
        for _ in range(rng.randrange(3)):
            confusion[i][rng.randrange(k)] += 1
        confusion[i][i] += each - sum(confusion[i])
    columns = [sum(row[j] for row in confusion) for j in range(k)]
    return {
        "schema": 1,
        "weights": "sha256:" + "0" * 64,
        "classes": classes,
        "confusion": confusion,
        "per_class": [
            {
                "class": name,
                "n": each,
                "recall": confusion[i][i] / each,
                "precision": confusion[i][i] / columns[i],
            }
            for i, name in enumerate(classes)
        ],
        "top1": 0.98,
        "balanced_accuracy": 0.97,
        "top5": 0.999,
        "nll": 0.0712,
        "ece": 0.0083,
        "reliability": [
            {"confidence": 0.05 + 0.1 * i, "accuracy": max(0.0, 0.02 + 0.095 * i), "n": 3 * 2**i}
            for i in range(2, 10)
        ],
        "mistakes": [
            {
                "true": classes[i % k],
                "predicted": classes[(i + 3) % k],
                "confidence": 0.99 - 0.03 * i,
                "path": f"test/{classes[i % k]}/{i:04d}.png" if i % 2 else None,
                "png": png(i),
            }
            for i in range(9)
        ],
        "pairs": [
            {
                "times": 3,
                "directions": [
                    {"true": a, "predicted": b, "times": n, "of": each, "images": shown}
                    for a, b, n, shown in (
                        (classes[0], classes[1], 3, [answer(classes[0], classes[1])]),
                        (classes[1], classes[0], 0, []),
                    )
                ],
            }
        ],
        "suspects": [
            {"part": "test", "position": 4, "label": classes[0], "suggested": classes[1]}
            | {"label_probability": 0.01, "suggested_probability": 0.98, "path": "test/4.png", "png": png(40)}
        ],
        "leaks": {
            "found": 1,
            "of": each * k,
            "images": [
                {
                    "test": {"path": "test/7.png", "png": png(7)},
                    "train": {"path": "train/3.png", "png": png(7)},
                    "same_label": False,
                }
            ],
        },
        "outcome": None,
        "gradient": [{"unit": f"unit{i}", "kind": kind, "norm": 0.02 * 0.9**i} for i in range(units)],
        "response": [
            {"unit": f"unit{i // 2}", "layer": f"conv{i % 2}", "std": 0.4 + 0.3 * math.cos(i)}
            for i in range(2 * units)
        ],
        "cost": [
            {"part": "stem", "parameters": 176, "multiply_adds": 9216},
            {"part": "stage 1", "parameters": 14_000, "multiply_adds": 900_000},
            {"part": "stage 2", "parameters": 51_000, "multiply_adds": 850_000},
            {"part": "head", "parameters": 650, "multiply_adds": 640},
        ],
    }


@pytest.fixture(scope="session")
def section():
    """``section("classes", values)``: the markup of a section of a run's page."""

    def shown(key: str, values: dict) -> str:
        markup = page("runs.html", "T", {"notes": [], "left_out": []}, [(key, values)], translator("en"))
        return markup[markup.index("</h2>") : markup.index("</section>")]

    return shown


@pytest.fixture(scope="session")
def make_png():
    return png


@pytest.fixture(scope="session")
def make_inspection():
    return inspection


@pytest.fixture
def make_run(tmp_path):
    """``make_run("name", epochs=..., test_accuracy=..., ...)`` writes a run folder and returns its path."""

    def make(
        name: str = "run",
        *,
        epochs: int = 20,
        train_accuracy: float = 0.995,
        val_accuracy: float | None = 0.985,
        test_accuracy: float = 0.986,
        complete: bool = True,
        inspected: dict | None = None,
        model: str = "cifar_resnet20",
        classes: list[str] = CLASSES,
        counts: dict | None = None,
        recipe: dict | None = None,
        parent: Path = tmp_path,
    ) -> Path:
        path = parent / name
        path.mkdir(parents=True)
        counts = counts or {"train": 1293, "val": 144, "test": 360}
        steps = 11
        files = {
            "spec": {
                "schema": 1,
                "family": "resnet",
                "name": model,
                "num_classes": len(classes),
                "depths": [3, 3, 3],
            },
            "recipe": {
                "schema": 1,
                "name": "quick",
                "epochs": epochs,
                "lr": 0.1,
                "batch_size": 128,
                **(recipe or {}),
            },
            "plan": {
                "schema": 1,
                "device": "cpu",
                "precision": "float32",
                "threads": 2,
                "channels_last": True,
                "compile": "off",
                "reasons": ["compile off: the training is too short to earn the time back"],
            },
            "data": {
                "kind": "digits",
                "storage": "memory",
                "spec": {"schema": 1, "source": "digits"},
                "classes": classes,
                "counts": counts,
                "fingerprint": "5e0c" * 16,
                "mean": [0.3053],
                "std": [0.3761],
                "skipped": [{"path": "train/3/broken.png", "reason": "truncated"}],
            },
            "env": {
                "python": "3.11.2",
                "torch": "2.13.0",
                "seed": 0,
                "limit_batches": None,
                "command": ["residua", "train", "my digits", "--model", model],
                "sessions": [{"host": "here"}],
            },
        }
        lines = []
        for epoch in range(epochs):
            done = (epoch + 1) / epochs
            reached = 1 - (1 - train_accuracy) ** done * 0.9 ** (1 - done)
            for step in range(steps):
                lines.append(
                    {
                        "event": "step",
                        "step": epoch * steps + step + 1,
                        "epoch": epoch,
                        "lr": 0.05 * (1 + math.cos(math.pi * (epoch + step / steps) / epochs)),
                        "loss": 2.3 * (1 - reached) + 0.02,
                    }
                )
            line = {"event": "epoch", "epoch": epoch, "step": (epoch + 1) * steps, "lr": 0.1}
            line |= {"train_loss": 2.3 * (1 - reached) + 0.01, "train_accuracy": reached}
            if val_accuracy is not None:
                seen = min(reached, val_accuracy)
                line |= {"val_loss": 2.3 * (1 - seen) + 0.02, "val_accuracy": seen}
            lines.append(line)
        for file, values in files.items():
            (path / f"{file}.json").write_text(json.dumps(values))
        (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        if complete:
            result = {
                "schema": 1,
                "run_dir": str(path),
                "model": model,
                "data": "digits",
                "seed": 0,
                "parameters": 269_722,
                "multiply_adds": 40_813_184,
                "epochs": epochs,
                "steps": epochs * steps,
                "seconds": 14.2,
                "train_accuracy": train_accuracy,
                "train_loss": 0.02,
                "val_accuracy": val_accuracy,
                "val_loss": None if val_accuracy is None else 0.05,
                "test_accuracy": test_accuracy,
                "test_loss": 0.06,
                "test_images": counts["test"],
                "primary": "accuracy",
            }
            (path / "result.json").write_text(json.dumps(result))
        if inspected is not None:
            (path / "inspection.json").write_text(json.dumps(inspected))
        return path

    return make


@pytest.fixture
def restate():
    """``restate(run, "env", seed=3)`` changes keys of a table of a run folder, and returns the folder."""

    def change(path: Path, table: str, /, **values: object) -> Path:
        file = path / f"{table}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))
        return path

    return change


@pytest.fixture
def make_result(tmp_path):
    """``make_result("he2015/degradation", verdict=...)`` writes the result of an experiment and returns its path."""
    arms = {"plain-20": (5.0, 2.0), "plain-56": (20.0, 3.0), "ResNet-20": (4.0, 1.0), "ResNet-56": (3.0, 1.0)}

    def measured(final: float, seed: int) -> dict:
        train = [80.0 + seed, 40.0, 20.0, final + 2 * seed]
        return {
            "seconds": 13.1,
            "curve_epoch": [1, 2, 3, 4],
            "curve_train_error": train,
            "curve_test_error": [value + 1 for value in train],
            "train_error": train[-1],
            "test_error": train[-1] + 1,
        }

    def make(experiment: str = "he2015/degradation", *, scale: str = "quick", **changes) -> Path:
        beside = {"value": 8.75, "source": "He et al. 2015, Table 6", "status": "verified"}
        values = {
            "schema": 1,
            "experiment": experiment,
            "title": "Degradation of plain nets",
            "title_zh": "普通网络的退化",
            "claims": [
                {
                    "id": "X1",
                    "text": "degradation: a deeper plain net is worse",
                    "zh": "更深的普通网络训练误差更高",
                }
            ],
            "where": "He et al. 2015, sec. 4.2",
            "scale": scale,
            "verdict": "direction reproduced",
            "reason": "",
            "checks": [{"text": "deeper is worse", "status": "direction reproduced", "reason": "p 0.0001"}],
            "table": [
                {"arm": arm, "measure": "test_error", "n": 2, "mean": final, "sd": sd, "published": []}
                for arm, (final, sd) in arms.items()
            ],
            "published": [
                {
                    **beside,
                    "url": "https://arxiv.org/abs/1512.03385",
                    "model": "ResNet-20",
                    "key": "err",
                    "protocol": "",
                    "measure": "test_error",
                    "arm": "ResNet-20",
                }
            ],
            "observations": [
                {"text": "in words", "source": "He et al. 2015, Fig. 1", "status": "unconfirmed"}
            ],
            "misquotes": [
                {"claim": "so they say", "truth": "the truth", "where_seen": "blogs", "status": "verified"}
            ],
            "caveats": ["a caveat"],
            "figure": "curves",
            "measures": ["train_error", "test_error"],
            "data": {"source": "digits", "fingerprint": "5e0c", "counts": {"train": 1437}},
            "recipe": {"name": "digits", "epochs": 4},
            "arms": [
                {"name": arm, "model": f"cifar_{arm.lower().replace('-', '')}", "changes": {}} for arm in arms
            ],
            "evidence": {
                arm: {str(seed): measured(final, seed) for seed in range(2)}
                for arm, (final, _) in arms.items()
            },
            "failed": {},
            "seeds": 2,
            "max_seeds": 8,
            "seconds": 104.8,
            "machine": {
                "cpu": "Some CPU",
                "usable_cores": 2,
                "memory": 2**34,
                "python": "3.11.2",
                "versions": {},
            },
            "command": ["residua", "reproduce", experiment, "--data", "my data"],
        }
        values["table"][0]["sd"] = 1.414
        values["table"][2]["published"] = [beside]
        path = tmp_path / experiment / scale / "result.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values | changes))
        return path

    return make
