import json

import numpy as np
import pytest
import torch
from PIL import Image

from residua.cli.main import main
from residua.loading import create_model
from residua.models.weights import save_model


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    about = {"classes": ["cat", "dog", "eel"], "shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.2] * 3}
    save_model(tmp_path / "w.safetensors", create_model("cifar_resnet8", num_classes=3), about)
    return str(tmp_path / "w.safetensors")


@pytest.fixture
def photos(tmp_path):
    """A folder with two good images, one of them deeper, and a text."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("a.png", "more/b.JPG"):
        Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def residua(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["predict", *map(str, arguments)])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def test_images_of_a_folder(residua, weights, photos):
    code, out, err = residua(weights, photos, "--top-k", "2", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["schema"] == 1
    assert found["errors"] == []
    assert [one["image"] for one in found["predictions"]] == [
        str(photos / "a.png"),
        str(photos / "more" / "b.JPG"),
    ]
    for one in found["predictions"]:
        assert len(one["top"]) == 2
        assert {item["label"] for item in one["top"]} < {"cat", "dog", "eel"}
        assert one["top"][0]["probability"] >= one["top"][1]["probability"]


def test_a_bad_image_among_good_ones(residua, weights, photos):
    (photos / "a0.png").write_bytes(b"no image")
    code, out, err = residua(weights, photos, photos / "none.png", "--json")
    found = json.loads(out)
    assert code == 1
    assert len(found["predictions"]) == 2
    assert [one["image"] for one in found["errors"]] == [str(photos / "a0.png"), str(photos / "none.png")]
    assert err.count("\n") == 2
    code, out, err = residua(weights, photos)
    assert code == 1
    assert out.count("\n") == 2
    assert "a0.png" in err


def test_wrong_usage_is_one_line_and_exit_code_2(residua, weights, photos, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments in (
        (weights, tmp_path / "empty"),
        ("none.pth", photos),
        (weights, photos, "--top-k", "0"),
        (weights, photos, "--device", "abacus"),
        (weights,),
    ):
        code, out, err = residua(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
