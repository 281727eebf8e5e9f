"""What runs a network, timed in turns, its answers checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from residua.deploy.backend import EMULATED, Backend
from residua.deploy.bench import Bench, Row, bench
from residua.deploy.subject import open_subject
from residua.errors import ResiduaError, UsageError
from residua.parts import find, register

QUICK = {"rounds": 3, "seconds": 0.0, "threads": 1}


@pytest.fixture
def subject(weights):
    return open_subject(weights()[0])


def names(found):
    return [(row.backend, row.precision, row.batch_size) for row in found.rows]


def test_each_backend_is_a_row_at_each_batch_size(subject):
    found = bench(subject, batch_sizes=(1, 3), backends=["channels_last"], **QUICK)
    fp32 = [name for name in names(found) if name[1] == "fp32"]
    assert fp32 == [(kind, "fp32", size) for size in (1, 3) for kind in ("eager", "channels_last")]
    eager, tuned = found.rows[0], found.rows[1]
    assert (eager.max_error, eager.agreement, eager.speedup) == (0, 1, 1)
    assert tuned.max_error < 1e-4
    assert tuned.agreement == 1
    assert tuned.latency_ms["p50"] <= tuned.latency_ms["p99"]
    low, high = tuned.images_per_second_quartiles
    assert 0 < low <= tuned.images_per_second <= high
    assert tuned.calls >= QUICK["rounds"]
    assert found.to_dict()["machine"]["instruction_set"]


def test_what_the_processor_only_emulates_is_left_out(subject, monkeypatch):
    class Avx2:
        has_fast_bf16, instructions = False, ("avx2",)

    monkeypatch.setattr("residua.deploy.backend.machine", Avx2)
    found = bench(subject, batch_sizes=(1,), backends=["channels_last"], **QUICK)
    assert found.skipped == ({"backend": "channels_last", "precision": "bf16", "reason": EMULATED},)


def test_what_is_not_installed_is_left_out(subject, monkeypatch):
    monkeypatch.setattr("residua.deploy.runtime.extras", lambda: {"export": {"onnxruntime": None}})
    found = bench(subject, batch_sizes=(1,), backends=["onnxruntime"], **QUICK)
    (reason,) = {one["reason"] for one in found.skipped if one["precision"] == "fp32"}
    assert 'pip install "residua[export]"' in reason
    assert {row.backend for row in found.rows} == {"eager"}


def test_a_compiler_that_is_missing_is_the_reason(monkeypatch):
    class Missing:
        name, problem = "g++", "not found"

    monkeypatch.setattr("residua.deploy.backends.torch_modules.compiler", Missing)
    assert "g++: not found" in find("backend", "compiled")().lacks("fp32")


@pytest.mark.usefixtures("forgotten")
def test_a_backend_of_ones_own_is_a_row_and_its_faults_are_reasons(subject):
    @register
    @dataclass(frozen=True, kw_only=True)
    class Wrong(Backend):
        kind: ClassVar[str] = "wrong"
        precisions: ClassVar[tuple[str, ...]] = ("fp32", "int8")

        def prepare(self, material, precision, folder):
            assert isinstance(folder, Path)
            assert material.threads == 1
            if precision == "int8":
                raise ResiduaError("it has no such numbers")

            def run(images):
                if len(images) > 2:
                    raise RuntimeError("too\nmany")
                return {"logits": np.full((len(images), 7), 3.0, np.float32)}

            return run

    found = bench(subject, batch_sizes=(2, 3), backends=["wrong"], **QUICK)
    row = next(row for row in found.rows if row.backend == "wrong")
    assert row.batch_size == 2
    assert row.max_error > 1
    assert [one["reason"] for one in found.skipped] == ["it has no such numbers", "too many"]
    assert found.winner().backend == "eager"  # the other one failed at a size


def test_a_name_of_a_network_has_random_weights_and_says_so():
    subject = open_subject("cifar_resnet8")
    assert subject.fresh
    assert "random weights" in subject.notes[0]
    found = bench(subject, batch_sizes=(2,), backends=[], **QUICK)
    assert names(found) == [("eager", "fp32", 2)]
    assert found.images == "seeded noise"
    again = open_subject("cifar_resnet8")
    first, second = (next(s.trained.model.parameters()) for s in (subject, again))
    assert first.equal(second)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_sizes": ()}, "batch sizes"),
        ({"batch_sizes": (0,)}, "batch sizes"),
        ({"batch_sizes": (2, 2)}, "batch sizes"),
        ({"rounds": 0}, "rounds"),
        ({"seconds": -1.0}, "seconds"),
        ({"threads": 0}, "threads"),
        ({"backends": ["opnvino"]}, "did you mean 'openvino'"),
    ],
)
def test_wrong_values_are_one_line(subject, wrong, message):
    with pytest.raises(UsageError, match=message):
        bench(subject, **wrong)


@pytest.mark.parametrize("source", ["transformer_tiny", "cifar_resnet21", "none.safetensors", "resnet5"])
def test_what_cannot_be_timed_is_one_line(source):
    with pytest.raises(ResiduaError) as caught:
        open_subject(source)
    assert "\n" not in str(caught.value)


def row(backend, size, rate):
    return Row(
        backend=backend,
        precision="fp32",
        batch_size=size,
        images_per_second=rate,
        images_per_second_quartiles=(rate, rate),
        speedup=1.0,
        speedup_10_90=(1.0, 1.0),
        latency_ms={"p50": 1.0, "p99": 1.0},
        calls=1,
        max_error=0.0,
        agreement=1.0,
        setup_seconds=0.0,
    )


def test_the_winner_is_the_fastest_over_all_batch_sizes():
    rows = (row("a", 1, 10.0), row("b", 1, 30.0), row("a", 16, 100.0), row("b", 16, 40.0), row("c", 1, 999.0))
    found = Bench(name="n", images="i", shape=(3, 8, 8), threads=1, rows=rows, skipped=(), notes=())
    assert found.winner().backend == "b"  # 30 * 40 > 10 * 100
    assert found.winner({"a"}).backend == "a"
    with pytest.raises(ResiduaError, match="no fastest"):
        found.winner({"c"})


def test_an_artifact_alone_is_compared_with_nothing(artifact):
    found = bench(open_subject(artifact.path), batch_sizes=(2,), **QUICK)
    assert names(found) == [("onnxruntime", "fp32", 2)]
    assert found.rows[0].max_error is None
    assert "compared with nothing" in found.notes[0]


@pytest.mark.usefixtures("forgotten")
def test_the_backend_of_the_documentation_is_a_row(subject):
    text = (Path(__file__).parents[2] / "docs" / "inference.md").read_text(encoding="utf-8")
    code = text.split("adds a row")[1].split("```python\n")[1].split("```")[0]
    exec(compile(code, "recorded.py", "exec"), {"__name__": "recorded"})
    found = bench(subject, batch_sizes=(2,), backends=["recorded"], **QUICK)
    assert found.rows[1].backend == "recorded"
    assert found.rows[1].max_error < 1e-4
