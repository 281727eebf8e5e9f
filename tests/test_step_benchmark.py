"""What the benchmarks of step, epoch and start compare: the same networks, the same work, real commands."""

from __future__ import annotations

import argparse
import sys

import numpy as np
import pytest
import torch
from benchmarks import conventional, epoch, start, step
from benchmarks.convolutions import convolutions_alone
from benchmarks.plain_resnet import plain_resnet
from benchmarks.train_step import peer_step

from residua.loading import create_model


@pytest.mark.parametrize("name", step.NETWORKS)
def test_the_plain_network_is_residua_s_in_parameters_and_convolutions(name):
    spec, depth, _, side, classes = step.NETWORKS[name]
    with torch.device("meta"):
        plain = plain_resnet(depth, classes)
        own = create_model(spec, **({"shortcut": "B"} if side == 32 else {}))

    def shapes(model):
        layers = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
        return sorted((m.in_channels, m.out_channels, m.kernel_size, m.stride) for m in layers)

    assert sum(p.numel() for p in plain.parameters()) == sum(p.numel() for p in own.parameters())
    assert shapes(plain) == shapes(own)


def test_a_peer_s_step_trains():
    model = plain_resnet(20, 10)
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8)
    run = peer_step(model, images, labels, tuned=True)
    for _ in range(6):
        hits = run()
    assert hits >= 3  # of eight images that it sees again and again


def test_the_limit_computes_every_convolution_and_all_gradients_but_the_first_input_s(monkeypatch):
    model = create_model("cifar_resnet8").train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    run = convolutions_alone(model, torch.randn(2, 3, 32, 32), bf16=False)
    seen = []
    grad = torch.autograd.grad

    def watched(output, wanted, gradient):
        seen.append((tuple(output.shape), [tuple(one.shape) for one in wanted]))
        return grad(output, wanted, gradient)

    monkeypatch.setattr(torch.autograd, "grad", watched)
    run()
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(seen) == len(layers)
    assert seen[0] == ((2, 16, 32, 32), [(16, 3, 3, 3)])
    assert all(len(wanted) >= 2 for _, wanted in seen[1:])
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_shares_are_of_the_limit_in_the_same_precision():
    def row(*seconds, speedup):
        return {"seconds": list(seconds), "speedup": speedup}

    rows = {
        "residua eager fp32": row(2.0, 2.0, speedup=1.1),
        "residua eager bf16": row(1.0, 1.0, speedup=2.2),
        "convolutions alone fp32": row(1.0, 1.5, speedup=9.0),
        "convolutions alone bf16": row(0.9, 0.7, speedup=9.0),
    }
    assert step._shares({"candidates": rows}) == {"best": "residua eager bf16"}
    assert rows["residua eager bf16"]["limit_share"] == pytest.approx(0.8)
    assert rows["residua eager fp32"]["limit_share"] == pytest.approx(0.625)


def test_the_conventional_loop_pads_crops_mirrors_and_normalises(monkeypatch):
    data = epoch.made_up(128)
    images = conventional.PilImages(data)
    draws = iter([torch.tensor([conventional.PAD, conventional.PAD]), torch.tensor([0, 8])])
    monkeypatch.setattr(torch, "randint", lambda *args: next(draws))
    monkeypatch.setattr(torch, "rand", lambda n: torch.ones(n))
    pixels, labels = data.train.read(np.arange(2))
    normal = (pixels.float() / 255 - torch.tensor(data.mean).view(-1, 1, 1)) / torch.tensor(data.std).view(
        -1, 1, 1
    )
    plain, label = images[0]
    torch.testing.assert_close(plain, normal[0])
    assert label == int(labels[0])
    shifted, _ = images[1]
    torch.testing.assert_close(shifted[:, :-4, 4:], normal[1][:, 4:, :-4])


def test_both_loops_see_the_same_images():
    data = epoch.made_up(2 * epoch.BATCH)
    assert len(data.train) == 2 * epoch.BATCH and data.pad == conventional.PAD and data.flip
    batches = conventional.loader(data, epoch.BATCH, 0)
    assert [tuple(images.shape) for images, _ in batches] == [(epoch.BATCH, 3, 32, 32)] * 2


SLOW_STEP = """
import pathlib, sys, time
time.sleep(0.3)
pathlib.Path(sys.argv[1]).mkdir()
(pathlib.Path(sys.argv[1]) / "metrics.jsonl").write_text("{}")
time.sleep(60)
"""


def test_the_first_step_is_waited_for_and_the_training_then_ended(tmp_path):
    run = tmp_path / "run"
    assert 0.3 < start.first_step([sys.executable, "-c", SLOW_STEP, str(run)], run, tmp_path / "cache") < 30


def test_a_training_that_fails_before_its_first_step_says_why(tmp_path):
    with pytest.raises(SystemExit, match="before its first step: it broke"):
        start.first_step([sys.executable, "-c", "raise SystemExit('it broke')"], tmp_path / "run", tmp_path)


def test_the_commands_of_start_train_on_what_was_made(tmp_path):
    from residua.data import load_data

    commands = start.commands(tmp_path, images=100, photos=6)
    assert list(commands) == [start.DIGITS, start.CIFAR, start.FOLDER]
    cifar = load_data(commands[start.CIFAR][4])
    assert (len(cifar.train) + len(cifar.val), len(cifar.test), cifar.shape) == (100, 20, (3, 32, 32))
    assert len(load_data(commands[start.FOLDER][4]).classes) == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("module", [step, epoch])
def test_a_quick_look_measures_what_is_asked(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    module.options(parser)
    found = module.measure(parser.parse_args(["--quick"]))
    assert found.ratio > 0
    assert found.spread[0] <= found.ratio <= found.spread[1]
    assert 0 < found.limit_share < 1.2
    assert any("convolutions alone" in line for line in module.table(found.evidence))
