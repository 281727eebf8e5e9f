"""Regression end to end: a CSV of real digits with computed numbers, trained, measured, predicted, resumed, refused."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from residua.cli.main import main
from residua.data import load_data
from residua.data.sources.csv_targets import read_targets
from residua.deploy import Predictor
from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate, measure
from residua.loading import load_model
from residua.registry import build, model_spec
from residua.runs.folder import RunFolder
from residua.train import fit, make_plan, recipe, resume
from residua.train.loop import Interrupted, Loop
from residua.train.plan import Request
from residua.train.task import make_task
from residua.train.task import measure as measure_task

ROWS = 180


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """A CSV of digits with their value and, in grey levels, their mean."""
    folder = tmp_path_factory.mktemp("numbers")
    pixels, labels = load_data("digits").train.read(np.arange(ROWS))
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "digit", "mean"])
        for i, (image, label) in enumerate(zip(pixels[:, 0].numpy(), labels.tolist(), strict=True)):
            Image.fromarray(image).save(folder / f"{i}.png")
            writer.writerow([f"{i}.png", label, image.mean()])
    return folder / "labels.csv"


def train(source, path, **changes):
    return fit(
        "cifar_resnet8",
        str(source),
        run_dir=path,
        progress=False,
        threads=1,
        precision="float32",
        recipe_changes={"epochs": 7, "batch_size": 16, "log_every": 3, **changes},
    )


@pytest.fixture(scope="module")
def run(numbers, tmp_path_factory):
    return train(f"csv:{numbers}", tmp_path_factory.mktemp("runs") / "run")


def test_it_learns_more_than_the_mean_and_says_so_in_the_units_of_the_data(run, numbers):
    result, data = run.result, load_data(run.data_spec)
    assert result["primary"] == "rmse"
    assert result["direction"] == "min"
    outputs = outputs_of(run, data)
    errors = np.sqrt(((outputs - targets_of(data)) ** 2).mean(0))
    assert [result["test_rmse_digit"], result["test_rmse_mean"]] == pytest.approx(errors.tolist(), rel=1e-4)
    assert result["test_rmse"] == pytest.approx(errors.mean(), rel=1e-4)
    spread = targets_of(data).std(0)
    assert result["test_r2"] == pytest.approx((1 - errors**2 / spread**2).mean(), rel=1e-3)
    assert result["test_rmse_mean"] < spread[1]  # of always saying the mean
    assert run.recipe.task.kind == "regression"
    assert run.data["targets"] == ["digit", "mean"]


def targets_of(data):
    return data.table[data.test.labels]


def outputs_of(run, data):
    """What the network says of the test images, in the data's units."""
    model = load_model(run.path).eval()
    with torch.no_grad():
        outputs = torch.cat([model(batch.images) for batch in data.eval_batches("test", 64)])
    return outputs.double().numpy() * data.target_std + data.target_mean


def test_targets_are_standardised_by_the_training_part_alone(numbers):
    data = load_data(f"csv:{numbers}")
    rows = data.train.labels
    assert data.target_mean == tuple(data.table[rows].mean(0))
    assert len({*rows, *data.val.labels, *data.test.labels}) == ROWS
    batches = data.train_batches(recipe("quick", batch_size=len(rows)), seed=0)
    images, targets = next(iter(batches.epoch(0)))
    assert targets.mean(0).abs().max() < 1e-5
    assert targets.std(0, correction=0).tolist() == pytest.approx([1, 1], abs=1e-5)
    unshifted = (
        images * data.images.std[0] + data.images.mean[0]
    )  # the mean that the file states is the picture's
    stated = targets[:, 1].double() * data.target_std[1] + data.target_mean[1]
    assert torch.allclose(unshifted.mean((1, 2, 3)).double() * 255, stated, atol=0.01)


def residua(*arguments):
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code or 0


def test_evaluation_prediction_runs_and_report(run, numbers, capsys):
    found = measure(run)
    assert found.figures["rmse"] == pytest.approx(run.result["test_rmse"])
    image = str(numbers.parent / "0.png")
    by_run, by_file = Predictor(run.path)(image), Predictor(run.weights)(image)
    assert by_run == by_file
    assert [name for name, _ in by_run] == ["digit", "mean"]
    for arguments in (
        ("evaluate", run.path),
        ("evaluate", run.weights, numbers),
        ("predict", run.path, image),
        ("runs", run.path),
        ("report", run.path),
    ):
        assert residua(*arguments) == 0, arguments
    said = capsys.readouterr().out
    assert f"rmse {found.figures['rmse']:.4g}" in said
    assert f"digit {by_run[0][1]:.4g}, mean {by_run[1][1]:.4g}" in said
    assert residua("predict", run.path, image, "--json") == 0
    (answer,) = json.loads(capsys.readouterr().out)["predictions"]
    assert answer["values"] == dict(by_run)


def test_another_set_is_measured_on_the_scales_of_the_training(run, numbers, tmp_path):
    rows = numbers.read_text().splitlines()
    other = tmp_path / "labels.csv"
    other.write_text("\n".join([rows[0], *(f"{numbers.parent}/{row}" for row in rows[60:])]))
    data = load_data(str(other))
    assert data.target_std != tuple(run.data["target_std"])
    data = data.as_trained(*(run.data[key] for key in ("mean", "std", "target_mean", "target_std")))
    errors = np.sqrt(((outputs_of(run, data) - targets_of(data)) ** 2).mean(0))
    assert measure(run, str(other)).figures["rmse"] == pytest.approx(errors.mean(), rel=1e-4)


def test_an_interrupted_run_ends_as_if_nothing_had_happened(run, numbers, tmp_path, monkeypatch):
    step = Loop._train_step

    def stop_at_step_9(loop, batch, epoch):
        count = step(loop, batch, epoch)
        if loop.state.step == 9:
            loop._on_signal(15)
            loop._stop_if_asked()
        return count

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train_step", stop_at_step_9)
        with pytest.raises(Interrupted):
            train(f"csv:{numbers}", tmp_path / "cut")
    again = resume(RunFolder(tmp_path / "cut"), progress=False)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes()


def test_huber_is_linear_beyond_its_width_and_the_squared_error_within(numbers):
    data = load_data(f"csv:{numbers}")
    batch = next(iter(data.eval_batches("val", 16)))
    torch.manual_seed(0)
    model = build(model_spec("cifar_resnet8", **data.model_changes()))
    plan = make_plan(Request(precision="float32", compile="off", threads=1, device="cpu"), model, 1, 1)

    def loss(task):
        return measure_task(make_task(model, recipe("quick", task=task), plan, data), [batch])[0]["loss"]

    model.eval()
    with torch.no_grad():
        errors = (model(batch.images) - batch.labels).double().abs()
    assert loss("regression") == pytest.approx(float((errors**2).mean()), rel=1e-5)
    small = torch.where(errors < 0.1, errors**2 / 2, 0.1 * (errors - 0.05))
    assert loss("regression(huber=0.1)") == pytest.approx(float(small.mean()), rel=1e-5)


HEADER = "file,x\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the header must be file,NAME or file,NAME,NAME..., not ''"),
        ("file\na.png\n", "line 1: the header"),
        ("image,x\na.png,1\n", "line 1: the header must be file,NAME"),
        ("file,x,x\na.png,1,2\n", "line 1: the header"),
        (HEADER, "has a header and no rows"),
        (f"{HEADER}a.png,1\n\nb.png,2\nnone.png,3\n", "line 5: there is no file 'none.png' beside bad.csv"),
        (f"{HEADER}a.png,1\nb.png\n", "line 3: 1 columns, where the header has 2"),
        (f"{HEADER}a.png,one\n", "line 2: x must be a finite number, not 'one'"),
        (f"{HEADER}a.png,nan\n", "line 2: x must be a finite number, not 'nan'"),
        (f"{HEADER}a.png,1e999\n", "line 2: x must be a finite number, not '1e999'"),
        (f"{HEADER}a.png,\n", "line 2: x must be a finite number, not ''"),
        (f"{HEADER}a.png,1\n./a.png,2\n", "line 3: 'a.png' stands in line 2 already"),
        (f"{HEADER}a.png,1\nb.png,1\nc.png,1\nd.png,1\n", "x is the same for all training images"),
        (f'{HEADER}"a.png,1\n', "cannot read"),
        (b"file,x\n\xff.png,1\n", "cannot read"),
        (b"file,x\na\0.png,1\n", "line"),
    ],
)
def test_a_bad_csv_is_one_line_that_names_the_line(text, says, tmp_path, numbers, capsys):
    for i, name in enumerate("abcd"):
        (tmp_path / f"{name}.png").write_bytes((numbers.parent / f"{i}.png").read_bytes())
    path = tmp_path / "bad.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ResiduaError) as caught:
        load_data(f"csv:{path}")
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text('file,x.png1\n"-e\0 ', max_size=60))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(f"file,x\n{text}", encoding="utf-8")
    try:
        read_targets(path)
    except ResiduaError as error:
        assert len(str(error).splitlines()) == 1


def test_what_does_not_fit_together_is_one_line(run, numbers, tmp_path):
    refused = {
        "digits has no numbers to learn: csv:FILE has": lambda: fit(
            "cifar_resnet8", "digits", progress=False, recipe_changes={"task": "regression"}
        ),
        "has no classes to tell apart": lambda: fit(
            "cifar_resnet8", str(numbers), progress=False, recipe_changes={"task": "classification"}
        ),
        "segmenter_tiny is made for segmentation, which the task 'regression' does not train": lambda: fit(
            "segmenter_tiny", str(numbers), progress=False
        ),
        "task 'regression' has no key 'label_smoothing'": lambda: train(
            numbers, tmp_path / "run", label_smoothing=0.1
        ),
        "mixup blends classes, which regression has not": lambda: train(
            numbers, tmp_path / "run", augmentation="mixup"
        ),
        "is trained for regression and gives images no class": lambda: evaluate(run),
        "predicts digit, mean, which digits has not": lambda: measure(run, "digits"),
    }
    for says, ask in refused.items():
        with pytest.raises(UsageError, match=re.escape(says)):
            ask()
    assert not (tmp_path / "run").exists()
