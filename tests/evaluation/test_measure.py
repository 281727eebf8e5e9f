"""One short run of each task: measured again, it has the figures of its result."""

import dataclasses
import itertools
import shutil

import pytest

from residua.data.sources.scenes import COUNTS
from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate, inspect_run, measure
from residua.evaluation.source import trained_for
from residua.loading import create_model
from residua.train import fit, judge

KINDS = {
    "cifar_resnet8": ("classification", "accuracy"),
    "detector_tiny": ("detection", "average_precision"),
    "segmenter_tiny": ("segmentation", "mean_iou"),
    "sngan_tiny": ("gan", "frechet_distance"),
    "transformer_tiny": ("language", "bits_per_byte"),
    "transformer_encoder_tiny": ("language", "bits_per_byte"),
}
LIMIT = 2
DENSE = tuple(KINDS)[1:]


@pytest.fixture(scope="module", autouse=True)
def small():
    """Few scenes, and a judge that is soon trained."""
    with pytest.MonkeyPatch.context() as patch:
        for name in COUNTS:
            patch.setitem(COUNTS, name, 16)
        patch.setattr(judge, "_RECIPE", judge._RECIPE.change(iterations=8))
        yield


@pytest.fixture(scope="module")
def runs(small, tmp_path_factory):
    """A run of each, one epoch of two batches."""
    made = {}

    def run(model):
        if model not in made:
            folder = tmp_path_factory.mktemp("runs") / model
            changes = {"epochs": 1, "batch_size": 8}
            options = {"precision": "float32", "limit_batches": LIMIT, "recipe_changes": changes}
            made[model] = fit(model, run_dir=folder, threads=1, progress=False, **options)
        return made[model]

    return run


@pytest.mark.parametrize("model", KINDS)
def test_a_run_is_worth_what_its_result_says(runs, model):
    run, (task, primary) = runs(model), KINDS[model]
    before = {path.name: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    found = measure(run, limit=LIMIT)
    result = run.result
    assert found.figures == {
        key.removeprefix("test_"): value
        for key, value in result.items()
        if key.startswith("test_") and key != "test_images"
    }
    assert (found.n, found.task, found.primary, found.notes) == (result["test_images"], task, primary, ())
    assert primary in found.figures
    assert found.to_dict()["schema"] == 1
    assert {path.name: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_the_judge_of_a_run_is_not_trained_again(runs, monkeypatch):
    run = runs("sngan_tiny")
    known = measure(run, limit=LIMIT).figures
    monkeypatch.setattr(judge, "_RECIPE", judge._RECIPE.change(iterations=1))
    assert measure(run, limit=LIMIT).figures == known
    assert measure(run, "digits", limit=LIMIT).figures != known  # of other data, their own judge


def test_parts_limits_and_progress(runs):
    run, seen = runs("segmenter_tiny"), []
    measure(run, split="val", batch_size=6, limit=2, progress=lambda *done: seen.append(done))
    assert seen == [(6, 12), (12, 12)]
    assert measure(run, split="train", limit=1).n == 16
    parts = [measure(run, split=split).figures for split in ("train", "val", "test")]
    assert all(a != b for a, b in itertools.pairwise(parts))


def test_images_are_normalised_as_the_network_is_used_to(runs, tmp_path):
    """Also where the data would have another mean: scenes of another size have."""
    from residua.weights.model_files import read_weights, save_tensors

    run = runs("detector_tiny")
    weights = read_weights(run.weights)
    path = tmp_path / "other.safetensors"
    save_tensors(
        path, weights.tensors, {"spec": weights.spec.to_dict(), "data": {**weights.data, "mean": [0.9]}}
    )
    assert measure(path, "scenes:boxes").figures != measure(run.weights, "scenes:boxes").figures
    assert measure(run.weights, "scenes:boxes").figures == measure(run).figures


def test_other_data_are_noted_or_refused(runs, tmp_path):
    text = tmp_path / "text"
    text.mkdir()
    for i in range(10):
        (text / f"{i}.txt").write_text(f"the quick brown fox {i} " * 40)
    moved = tmp_path / "moved"
    shutil.copytree(runs("transformer_tiny").path, moved)
    found = measure(moved, f"text:{text}")
    assert found.data == f"text:{text}"
    assert found.n == 13 * 128  # whole windows in the 1,760 bytes of two files
    for model, data, message in (
        ("transformer_tiny", "digits", "has num_classes 256, digits has 10"),
        ("detector_tiny", "scenes:masks", "learns from boxes"),
        ("segmenter_tiny", "digits", "learns from masks"),
        ("sngan_tiny", "moving-digits", "makes images of 1x8x8"),
        ("detector_tiny", "nowhere", "no such file or folder"),
    ):
        with pytest.raises(UsageError, match=message):
            measure(runs(model), data)


def test_wrong_uses_are_one_line(runs):
    run = runs("detector_tiny")
    for options, message in (
        ({"split": "tset"}, "'tset'"),
        ({"limit": 0}, "limit must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"device": "abacus"}, "abacus"),
    ):
        with pytest.raises(UsageError, match=message):
            measure(run, **options)
    with pytest.raises(UsageError, match="does not say where its images are"):
        measure(run.weights)
    data = dataclasses.replace(run.data_spec, val_fraction=0.0)
    with pytest.raises(UsageError, match="has no val part"):
        measure(run, data, split="val")


def test_a_run_that_has_lost_the_judge_says_so(runs, tmp_path):
    copied = tmp_path / "run"
    shutil.copytree(runs("sngan_tiny").path, copied)
    (copied / "checkpoints" / "last.safetensors").write_bytes(b"broken")
    with pytest.raises(ResiduaError, match=r"last\.safetensors"):
        measure(copied)


@pytest.mark.parametrize("model", DENSE)
def test_what_is_for_classifiers_refuses_the_others(runs, model):
    run, (task, _) = runs(model), KINDS[model]
    for use in (evaluate, inspect_run):
        with pytest.raises(UsageError, match=f"is trained for {task} and gives images no class"):
            use(run)


def test_what_a_network_is_trained_for(runs):
    for model, (task, _) in KINDS.items():
        for source in (runs(model), runs(model).weights, create_model(model)):
            assert trained_for(source).kind == task


@pytest.mark.parametrize("batch_size", [256, 60])
def test_the_loss_of_a_training_is_the_one_of_evaluate(make_run, batch_size):
    """Both sum in float64: what a float32 sum over a batch rounds away is more than what batches change."""
    run = make_run()
    trained, evaluated = measure(run, batch_size=batch_size).figures, evaluate(run, batch_size=batch_size)
    assert trained["accuracy"] == evaluated.top1
    assert trained["loss"] == pytest.approx(evaluated.nll, rel=1e-13)
