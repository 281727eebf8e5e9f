"""Tables name the class of their machine, and leave out what its processor only emulates."""

import json

import pytest
from benchmarks import busy, digest, harness, near_duplicates

from residua.machine import describe_machine, instruction_set

TABLES = {
    "versions": harness.table,
    "inference-resnet18": harness.table,
    "inference-resnet50": harness.table,
    "predictor": harness.table,
    "stochastic_depth": harness.table,
    "busy": busy.table,
    "digest": digest.table,
    "near_duplicates": near_duplicates.table,
}


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (("avx2", "avx512f", "avx512_bf16", "amx_bf16"), "amx"),
        (("avx2", "avx512f", "avx512_vnni", "avx512_bf16"), "avx512_bf16"),
        (("avx2", "avx512f"), "avx512"),
        (("avx2", "avx_vnni"), "avx2"),
        (("asimd", "sve2", "bf16"), "sve2"),
        (("asimd", "asimddp", "bf16"), "neon_bf16"),
        (("asimd",), "neon"),
        ((), "baseline"),
    ],
)
def test_the_class_of_a_machine_is_its_strongest_instruction_set(flags, name):
    assert instruction_set(flags) == name


@pytest.mark.parametrize("name", TABLES)
def test_stored_tables_are_made_from_their_evidence_and_name_the_class(name):
    evidence = json.loads((harness.RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    text = (harness.RESULTS / f"{name}.md").read_text(encoding="utf-8")
    assert text == TABLES[name](evidence)
    assert f"({instruction_set(evidence['machine']['instructions'])})" in text


def _evidence(peaks):
    machine = {**describe_machine(), "cpu": "Some processor", "instructions": ("avx2",)}
    return {
        "title": "T",
        "command": "c",
        "date": "d",
        "machine": machine,
        "peaks": peaks,
        "notes": "",
        "cases": [],
    }


def test_a_processor_without_bfloat16_is_not_measured_in_it(monkeypatch):
    class Avx2:
        has_fast_bf16 = False

    monkeypatch.setattr(harness, "machine", Avx2)
    monkeypatch.setattr(harness, "peak_flops", lambda dtype: 1e9)
    peaks = harness.measure_peaks()
    assert peaks == {"float32": 1e9}
    text = harness.table(_evidence(peaks))
    assert "Some processor (avx2)" in text
    assert "bfloat16 is left out: this processor has no instructions for it" in text
    assert "left out" not in harness.table(_evidence({**peaks, "bfloat16": 2e9}))


def test_the_digest_costs_little():
    """The measured figure that the documentation states: below 5 % of the time of a load."""
    evidence = json.loads((harness.RESULTS / "digest.json").read_text(encoding="utf-8"))
    assert 1 / evidence["candidates"]["XXH3-128 (residua)"]["speedup"] < 1.05
