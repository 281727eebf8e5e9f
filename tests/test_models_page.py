"""The grid of ``docs/models.md``: a row for every family, published figures that exist, runs that may fail."""

import subprocess

import pytest
from benchmarks import models

from residua.machine import describe_machine, instruction_set
from residua.registry import families, model_spec


def _result(model, **changes):
    return {
        "command": f"residua train --model {model}",
        "data": "digits",
        "primary": "accuracy",
        "test_accuracy": 0.98765,
        "parameters": 75_002,
        "seconds": 4.71,
        "machine": describe_machine(),
    } | changes


def test_every_family_has_a_row_of_one_of_its_members():
    assert {row.family for row in models.ROWS} == set(families())
    for row in models.ROWS:
        assert model_spec(row.model).family == row.family


def test_every_published_figure_is_found_in_its_table():
    figures = {row.model: str(row.published) for row in models.ROWS if row.published}
    assert figures["cifar_resnet8"].startswith("8.75 % error on CIFAR-10: ResNet-20 (He et al. 2015, Table 6")
    assert figures["ode_digits"] == "0.42 % error on MNIST: ODE-Net (Chen et al. 2018, Table 1)"
    assert figures["vit_digits"].startswith("99.02 % accuracy on CIFAR-10")


def test_a_row_shows_what_was_measured_and_its_command():
    text = models.page({"cifar_resnet8": _result("cifar_resnet8")})
    row = next(line for line in text.splitlines() if line.startswith("| resnet "))
    kind = instruction_set(describe_machine()["instructions"])
    assert row.startswith(
        "| resnet | `residua train --model cifar_resnet8` | digits | accuracy 98.77 % | 75,002 | 4.7 | "
        f"{kind} | 8.75 %"
    )
    assert text.count("residua train --model") == 1  # rows without a result are left out


def test_other_metrics_are_shown_by_name():
    assert models.measured({"primary": "mean_iou", "test_mean_iou": 0.8125}) == "mean iou 0.8125"
    assert models.measured({"primary": "frechet_distance", "test_frechet_distance": None}).endswith(
        "not finite"
    )


def test_the_grid_goes_on_after_a_failure_and_names_it(monkeypatch, tmp_path, capsys):
    def run(grid, number, data, results):
        if grid.name == "resnext_tiny":
            raise subprocess.CalledProcessError(1, "residua train")
        return started.append(grid.name)

    started = []
    monkeypatch.setattr(models, "run", run)
    monkeypatch.setattr(models, "FOLDER", tmp_path)
    monkeypatch.setattr(models, "PAGE", tmp_path / "models.md")
    with pytest.raises(SystemExit, match="without a result: resnext_tiny"):
        models.main()
    assert len(started) == len(models.ROWS) - 1
    assert "resnext_tiny: residua train ended with 1; going on" in capsys.readouterr().err
