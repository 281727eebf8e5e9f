"""The benchmark of depth: what it makes of times and peaks."""

from types import SimpleNamespace

import pytest
from benchmarks import depth

from residua.timing import Comparison, Timing


@pytest.fixture
def measured(monkeypatch):
    """Networks whose step takes 2 ms and 10 us a layer an image, a third more with little memory."""

    def compare(steps, *, rounds, min_seconds):
        timings = {mode: Timing(calls=1, seconds=(step(),) * rounds) for mode, step in steps.items()}
        return Comparison(
            baseline="full" if "full" in steps else "low", warmup=1, min_seconds=0, timings=timings
        )

    def step(layers, mode, batch):
        return lambda: (2e-3 + 1e-5 * layers) * batch * (1 if mode == "full" else 4 / 3)

    monkeypatch.setattr(depth, "compare", compare)
    monkeypatch.setattr(depth, "_task", lambda layers, mode: (layers, mode))
    monkeypatch.setattr(depth, "_step", step)
    monkeypatch.setattr(
        depth,
        "_peak_of_child",
        lambda layers, mode, batch: {"peak": 1e7 * layers if mode == "full" else 1e9, "of_step": 1e8},
    )
    return lambda free: (
        monkeypatch.setattr(depth, "memory", lambda: (None, free)),
        depth.measure(SimpleNamespace(quick=False, depths=(20, 110, 560, 1202), batch=128, rounds=3)),
    )[1]


def test_the_line_and_the_ratio_are_found(measured):
    found = measured(free=10**12)
    assert found.ratio == pytest.approx(3 / 4)
    assert found.limit_share == pytest.approx(1)
    assert found.evidence["fits"]["full"] == pytest.approx(
        {"at_zero": 2e-3, "a_layer": 1e-5, "r2": 1, "worst": 0}, abs=1e-9
    )
    assert not found.skipped
    page = "\n".join(depth.table(found.evidence))
    assert "| 1202 | 12.02 GB | 0.10 GB | 1.00 GB | 0.10 GB | 8% | 1.79 | 2.39 | 1.33 |" in page
    assert "- `--memory full`: 2.00 ms + 10.0 us a layer an image; R2 1.00000" in page


def test_what_does_not_fit_is_left_out(measured):
    found = measured(free=10**10)
    assert found.skipped == ["depth 1202 without --memory low: 12.02 GB expected, 10.00 GB free"]
    assert found.ratio == pytest.approx(3 / 4)  # of depth 560
    assert found.evidence["fits"]["full"] is not None
    assert "| 1202 |  |  | 1.00 GB | 0.10 GB |  |  | 2.39 |  |" in "\n".join(depth.table(found.evidence))
