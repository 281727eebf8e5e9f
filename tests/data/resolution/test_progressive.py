import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from residua.data import load_data
from residua.data.batches.keyed import BatchKey
from residua.data.resolution.progressive import Progressive, resized
from residua.errors import ResiduaError, UsageError
from residua.spec import Recipe
from residua.train import Callback, fit, resume


@given(
    st.floats(0, 1),
    st.integers(1, 300),
    st.floats(0.1, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 64),
)
def test_sides_grow_within_their_bounds(progress, full, smallest, begin, end, multiple):
    begin, end = sorted((begin, end))
    one = Progressive(smallest=smallest, begin=begin, end=end, multiple=multiple)
    sides = [one.side(x, full) for x in sorted((0.0, progress, 1.0))]
    assert sides == sorted(sides)
    assert 1 <= sides[0] <= full
    assert sides[-1] <= full
    assert sides[-1] > full - multiple
    assert all(side == full or side % multiple == 0 for side in sides)


def test_ffcvs_sizes():
    recipe = Recipe(resolution="progressive(0.625, 0.75, begin=0.75, end=0.75, multiple=32)")
    assert [recipe.resolution.side(epoch / 16, 256) for epoch in (0, 11, 11.9, 12, 15)] == [
        160,
        160,
        160,
        192,
        192,
    ]


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (2, 1, 4, 16, 12)])
def test_resizing_keeps_means_and_layout(shape):
    images = torch.rand(shape)
    small = resized(images, 8, 8)
    assert small.shape == (*shape[:-2], 8, 8)
    assert float(small.mean()) == pytest.approx(float(images.mean()), abs=0.02)
    flat = torch.full(shape, 0.3)
    assert torch.allclose(resized(flat, 5, 7), torch.tensor(0.3))


def test_a_window_is_a_part_of_the_image():
    data = load_data("digits")
    show = Progressive(smallest=0.5, end=1.0, by="crop", multiple=1).build(data, 10)
    images = torch.arange(2 * 64.0).view(2, 1, 8, 8).to(memory_format=torch.channels_last)
    places = set()
    for step in range(3):
        key = BatchKey(seed=0, epoch=0, step=step, positions=np.arange(2))
        found = show(images, key)
        side = found.shape[-1]
        assert found.shape == (2, 1, side, side)
        top, left = divmod(int(found[0, 0, 0, 0]), 8)
        places.add((top, left))
        assert torch.equal(found, images[..., top : top + side, left : left + side])
        assert torch.equal(found, show(images, key))
    assert len(places) > 1


def train(path, **options):
    return fit(
        "cifar_resnet8",
        recipe="quick",
        run_dir=path,
        threads=1,
        precision="float32",
        progress=False,
        limit_batches=4,
        track="none",
        recipe_changes={"epochs": 4, "resolution": "progressive(smallest=0.5, end=0.75)", "batch_size": 16},
        **options,
    )


def test_training_images_grow_evaluation_sees_all_and_a_stopped_run_ends_with_the_same_bits(tmp_path):
    seen = []

    class Watch(Callback):
        def on_step(self, moment):
            if not seen:
                moment.network.register_forward_pre_hook(
                    lambda module, args: seen.append((module.training, args[0].shape[-1]))
                )

    whole = train(tmp_path / "whole", callbacks=[Watch()])
    assert {side for training, side in seen if training} == {4, 8}
    assert [side for training, side in seen if training] == sorted(
        side for training, side in seen if training
    )
    assert {side for training, side in seen if not training} == {8}

    class Stop(Callback):
        def on_step(self, moment):
            if moment.step == 6:
                raise RuntimeError("enough")

    with pytest.raises(ResiduaError, match="enough"):
        train(tmp_path / "cut", callbacks=[Stop()])
    cut = resume(tmp_path / "cut", progress=False)
    for name in ("model.safetensors", "metrics.jsonl"):
        assert (cut.path / name).read_bytes() == (whole.path / name).read_bytes()


def test_what_it_does_not_suit_is_refused_before_anything_is_written(tmp_path):
    for model, data, says in (
        (
            "vit_digits",
            "digits",
            "resolution 'progressive' begins with images of 4 pixels: .* takes images of 1x8x8",
        ),
        ("transformer_small", "text", "resolution 'progressive' is for images"),
        ("residual_mlp_small", "digits-table", "resolution 'progressive' is for images"),
    ):
        with pytest.raises(UsageError, match=says):
            fit(
                model,
                data,
                run_dir=tmp_path / "run",
                progress=False,
                recipe_changes={"resolution": "progressive(0.5)"},
            )
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options",
    ["smallest=0", "smallest=0.9, largest=0.8", "begin=0.9, end=0.5", "end=2", "multiple=0", "by=zoom"],
)
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError):
        Recipe(resolution=f"progressive({options})")
