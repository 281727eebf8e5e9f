"""A damaged tensor file of a run is refused in one line, which names the weights of the run that still work."""

import shutil

import pytest

from residua import load_model
from residua.errors import ResiduaError
from residua.train import fit, resume
from residua.weights.model_files import read_tensors, save_tensors

LAST, BEST, FINAL = "checkpoints/last.safetensors", "checkpoints/best.safetensors", "model.safetensors"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    changes = {"epochs": 1, "log_every": 1}
    return fit(
        "cifar_resnet8",
        run_dir=tmp_path_factory.mktemp("runs") / "run",
        recipe_changes=changes,
        limit_batches=2,
        progress=False,
    ).path


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def flip(path):
    """One bit, in the middle of the file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_final_weights_are_damaged(run):
    flip(run / FINAL)
    with pytest.raises(ResiduaError) as caught:
        load_model(run)
    assert str(caught.value) == (
        f"{run / FINAL} is damaged: its bytes do not give the XXH3-128 digest that it states; "
        f"intact and usable by name: {run / LAST}, {run / BEST}"
    )
    for name in (LAST, BEST):
        load_model(run / name)


def test_the_last_checkpoint_is_damaged(run):
    (run / "result.json").unlink()  # as if the training were under way
    flip(run / LAST)
    for read in (load_model, resume):
        with pytest.raises(ResiduaError, match=rf"{LAST} is damaged.*; intact .*: .*{BEST}, .*{FINAL}$"):
            read(run)


def test_nothing_is_intact(run):
    for name in (LAST, BEST, FINAL):
        flip(run / name)
    with pytest.raises(ResiduaError, match="no other weights of this run are intact"):
        load_model(run)


def test_weights_that_are_not_finite_are_said_when_a_training_goes_on(run, caplog):
    tensors, about = read_tensors(run / LAST)
    tensors["networks.model.head.fc.bias"][0] = float("nan")
    save_tensors(run / LAST, tensors, about)
    (run / "result.json").unlink()
    resume(run, progress=False)
    assert f"{run / LAST}: NaN or infinity in networks.model.head.fc.bias" in caplog.messages


def test_what_stays_intact_is_usable(run):
    flip(run / LAST)
    load_model(run)
