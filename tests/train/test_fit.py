import json

import pytest
import torch
from torch import nn

from residua.data import load_data
from residua.errors import UsageError
from residua.registry import build, model_spec
from residua.spec import DataSpec
from residua.train import fit
from residua.weights.model_files import build_model, read_weights

FAST = {"threads": 1, "progress": False, "limit_batches": 2, "recipe_changes": {"epochs": 1}}


def test_a_run_folder_holds_what_follows_from_it(tmp_path):
    run = fit(run_dir=tmp_path / "run", **FAST)
    names = {path.name for path in run.path.iterdir()} - {".lock", "tensorboard"}
    assert names == {
        "spec.json",
        "recipe.json",
        "plan.json",
        "data.json",
        "env.json",
        "metrics.jsonl",
        "timings.jsonl",
        "checkpoints",
        "model.safetensors",
        "result.json",
    }
    assert {path.name for path in (run.path / "checkpoints").iterdir()} == {
        "last.safetensors",
        "best.safetensors",
    }
    assert run.data["classes"] == [str(digit) for digit in range(10)]
    weights = read_weights(run.weights)
    assert weights.spec == run.spec
    assert weights.data["mean"] == run.data["mean"]
    assert build_model(read_weights(run.last)).state_dict().keys() == build_model(weights).state_dict().keys()
    assert run.result["parameters"] == sum(p.numel() for p in build_model(weights).parameters())


def test_same_seed_same_result_other_seed_other_result(tmp_path):
    runs = [fit(run_dir=tmp_path / str(i), seed=seed, **FAST) for i, seed in enumerate((0, 0, 1))]
    weights = [run.weights.read_bytes() for run in runs]
    assert weights[0] == weights[1] != weights[2]
    assert runs[0].data["split_sha256"] == runs[2].data["split_sha256"]  # splits do not follow the seed


def test_the_model_is_left_as_the_user_made_it(tmp_path):
    model = build(model_spec("cifar_resnet8", in_channels=1))
    keys = list(model.state_dict())
    fit(model, run_dir=tmp_path / "run", **FAST)
    assert list(model.state_dict()) == keys
    assert not any(unit.recompute for unit in model.modules() if hasattr(unit, "recompute"))


def test_threads_of_the_process_are_given_back(tmp_path):
    before = torch.get_num_threads()
    fit(run_dir=tmp_path / "run", **{**FAST, "threads": before + 1})
    assert torch.get_num_threads() == before


def test_fine_tuning_reports_what_it_adapted(tmp_path, capsys):
    first = fit("cifar_resnet8", run_dir=tmp_path / "a", **FAST)
    weights = read_weights(first.weights)
    grown = type(weights)(
        {
            **{name: t for name, t in weights.tensors.items() if not name.startswith("head.")},
            "stem.conv.weight": weights.tensors["stem.conv.weight"].repeat(1, 3, 1, 1),
            "head.fc.weight": torch.zeros(7, 64),
            "head.fc.bias": torch.zeros(7),
        },
        weights.spec,
    )
    fit("cifar_resnet8", run_dir=tmp_path / "b", weights=grown, **{**FAST, "progress": True})
    said = capsys.readouterr().err
    assert "stem.conv.weight adapted from 3 to 1 channels" in said
    assert "fresh: head.fc.weight (10 classes, the weights have 7)" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"model": "cifar_resnet21"}, "depth 21"),
        ({"model": nn.Linear(1, 1)}, "create_model"),
        ({"model": "cifar_resnet8", "model_changes": {"in_channels": 3}}, "in_channels=1 fits"),
        ({"model": "cifar_resnet8", "model_changes": {"num_classes": 3}}, "num_classes=10 fits"),
        ({"recipe": "quik"}, "did you mean 'quick'"),
        ({"recipe_changes": {"lrr": 3}}, "did you mean 'lr'"),
        ({"seed": -1}, "seed"),
        ({"device": "tpu"}, "--device must be"),
        ({"device": "cuda:99"}, "CUDA devices"),
        ({"precision": "fp8"}, "--precision must be"),
        ({"threads": 0}, "--threads"),
        ({"compile": "maybe"}, "--compile"),
        ({"limit_batches": 0}, "limit_batches"),
        ({"data": "no/such/folder"}, "no such file or folder"),
        ({"model": "resnet18"}, "needs at least 32 px"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, options, says):
    with pytest.raises(UsageError, match=says) as refused:
        fit(run_dir=tmp_path / "run", **{**FAST, **options})
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_without_validation_every_image_is_trained_on(tmp_path):
    run = fit(data=DataSpec(val_fraction=0.0), run_dir=tmp_path / "run", **FAST)
    assert run.result["val_accuracy"] is None
    assert not run.best.exists()


@pytest.mark.slow
def test_depth_1202_trains_a_step_with_recomputation(tmp_path):
    data = load_data("digits")
    recipe = {"epochs": 1, "batch_size": 8}
    run = fit(
        "cifar_resnet1202",
        data,
        run_dir=tmp_path / "run",
        memory="low",
        **{**FAST, "recipe_changes": recipe, "limit_batches": 1},
    )
    assert json.loads((run.path / "result.json").read_text())["parameters"] > 19_000_000
