"""Language models learn through the same loop as images, and resume bit for bit."""

import math
from types import SimpleNamespace

import pytest
import torch

from residua.data import load_data
from residua.registry import build, model_spec
from residua.spec import DataSpec
from residua.train import RunFolder, fit, resume
from residua.train.loop import Interrupted, Loop
from residua.train.optimizers.adamw import AdamW
from residua.train.recipes import recipe
from residua.train.tasks.language import Language, hide

PLAN = SimpleNamespace(precision="float32", device="cpu", compile="off", cuda_graphs=False, memory="full")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = tmp_path_factory.mktemp("text")
    for i in range(10):
        (folder / f"{i}.txt").write_text(f"{i} the quick brown fox jumps over the lazy dog\n" * 30)
    return DataSpec.of(f"text:{folder}").change(context=32)


def train(text, path, model="transformer_tiny", **changes):
    return fit(
        model,
        text,
        run_dir=path,
        threads=1,
        progress=False,
        precision="float32",
        model_changes={"width": 32, "dropout": 0.1, "drop_path": 0.1, **changes},
        recipe_changes={"epochs": 2, "batch_size": 16, "log_every": 5},
    )


def task(**changes):
    torch.manual_seed(0)
    model = build(model_spec("transformer_tiny", width=32, context=32, **changes))
    return Language().make(model, recipe("language"), PLAN, None)


def batch():
    text = torch.randint(256, (4, 33), generator=torch.Generator().manual_seed(0))
    return text[:, :-1], text[:, 1:]


def test_a_short_training_beats_the_frequencies_of_the_bytes(text, tmp_path):
    result = train(text, tmp_path / "run").result
    assert result["primary"] == "bits_per_byte"
    assert result["test_bits_per_byte"] == pytest.approx(result["test_loss"] / math.log(2))
    assert result["test_images"] == len(load_data(text).test) * 32
    counts = torch.bincount(load_data(text).test.content.long()).double()
    shares = counts[counts > 0] / counts.sum()
    assert result["test_bits_per_byte"] < float(-(shares * shares.log2()).sum()) - 0.5


@pytest.mark.parametrize("form", [{}, {"causal": False}, {"drop_path_mode": "batch", "drop_path": 0.5}])
def test_an_interrupted_run_ends_as_if_nothing_had_happened(text, tmp_path, monkeypatch, form):
    whole = train(text, tmp_path / "whole", **form)
    step = Loop._train_step

    def stop_at_step_13(loop, batch, epoch):
        count = step(loop, batch, epoch)
        if loop.state.step == 13:
            loop._on_signal(15)
            loop._stop_if_asked()
        return count

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "_train_step", stop_at_step_13)
        with pytest.raises(Interrupted):
            train(text, tmp_path / "cut", **form)
    again = resume(RunFolder(tmp_path / "cut"), progress=False)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (again.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_uniform_guesses_are_eight_bits():
    uniform = task()
    torch.nn.init.zeros_(uniform.network.head.fc.weight)
    sums = uniform.evaluate(batch())
    assert float(sums["bits_per_byte"] / sums["count"]) == pytest.approx(8)
    assert int(sums["count"]) == 4 * 32


def test_an_encoder_is_asked_for_what_is_hidden_from_it_and_for_nothing_else():
    encoder = task(causal=False)
    tokens, _ = batch()
    hidden = torch.zeros_like(tokens, dtype=torch.bool)
    hidden[:, 3] = True
    shown, wanted = hide(tokens, hidden, 256)
    assert (shown[:, 3] == 256).all()
    assert torch.equal(wanted[:, 3], tokens[:, 3])
    assert (wanted[:, :3] == -100).all()
    first, second = encoder.evaluate(batch()), encoder.evaluate(batch())
    assert float(first["loss"]) == float(second["loss"])
    assert int(first["count"]) == 19  # of 128, every seventh


def test_a_step_lowers_the_loss_of_its_batch():
    model = task()
    for group in model.optimizers["model"].param_groups:
        group["lr"] = 1e-2
    losses = [float(model.step(batch(), 0.0)["loss"]) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_the_language_family_brings_its_data_and_its_recipe(tmp_path):
    run = fit(
        "transformer_tiny",
        run_dir=tmp_path / "run",
        threads=1,
        progress=False,
        limit_batches=1,
        recipe_changes={"epochs": 1},
    )
    assert run.data["kind"] == "text"
    assert run.recipe.name == "language"
    assert run.recipe.optimizer == AdamW(beta2=0.95)
