import csv
import io
import json
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from residua.cli.main import main
from residua.loading import create_model
from residua.weights.model_files import save_model


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
    (folder / ".thumbs").mkdir()
    (folder / ".thumbs" / "a.png").write_bytes((folder / "a.png").read_bytes())
    return folder


@pytest.fixture
def residua(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["predict", *map(str, arguments)])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def test_what_is_assumed_of_the_file_is_said(residua, photos, tmp_path):
    about = {"classes": ["cat", "dog"], "shape": [3, 16, 16], "mean": [0.5] * 3, "std": [0.2] * 3}
    network = create_model("wrn_10_1", stem="cifar", num_classes=2)  # what the name meant in version 0.1
    save_model(tmp_path / "old.safetensors", network, about)
    code, _, err = residua(tmp_path / "old.safetensors", photos / "a.png")
    assert code == 0
    assert err.startswith("note: wrn_10_1 as residua 0.1 had it")


def test_images_of_a_folder(residua, weights, photos):
    code, out, err = residua(weights, photos, "--top-k", "2", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "note: left out: 1 (hidden), 1 (no image, by its name)\n")
    assert found["schema"] == 1
    assert found["errors"] == []
    assert found["skipped"] == [
        {"image": str(photos / ".thumbs/"), "reason": "hidden"},
        {"image": str(photos / "notes.txt"), "reason": "no image, by its name"},
    ]
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
    assert err.count("\n") == 3
    code, out, err = residua(weights, photos)
    assert code == 1
    assert out.count("\n") == 2
    assert "a0.png" in err


def test_volumes_of_a_folder(residua, tmp_path):
    torch.manual_seed(0)
    about = {"classes": ["a", "b"], "shape": [1, 4, 16, 16], "mean": [0.5], "std": [0.2]}
    model = create_model("r3d_tiny", num_classes=2, in_channels=1)
    save_model(tmp_path / "v.safetensors", model, about)
    (tmp_path / "scans").mkdir()
    for name, shape in (("a", (4, 16, 16)), ("b", (1, 4, 16, 16)), ("c", (4, 8, 8))):
        np.save(tmp_path / "scans" / f"{name}.npy", np.zeros(shape, np.uint8))
    (tmp_path / "scans" / "notes.png").write_text("no volume")
    code, out, err = residua(tmp_path / "v.safetensors", tmp_path / "scans", "--json")
    found = json.loads(out)
    assert code == 1
    assert [one["image"][-5:] for one in found["predictions"]] == ["a.npy", "b.npy"]
    assert found["predictions"][0]["top"] == found["predictions"][1]["top"]
    assert [one["error"] for one in found["errors"]] == ["its shape is 1x4x8x8, not 1x4x16x16"]
    (tmp_path / "empty").mkdir()
    code, _, err = residua(tmp_path / "v.safetensors", tmp_path / "empty")
    assert (code, "holds no .npy file" in err) == (2, True)


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


def test_hostile_images_are_a_line_each(residua, weights, tmp_path, recwarn):
    """1 x 80,000,000 pixels in 69 bytes, 10,000 x 10,000 of which Pillow would warn, and a name with a line break."""
    header = "0000000d49484452{}0802000000"
    shapes = {"tall.png": (1, 80_000_000), "wide\nname.png": (10_000, 10_000), "huge.png": (20_000, 20_000)}
    for name, (width, height) in shapes.items():
        chunk = bytes.fromhex(header.format(struct.pack(">II", width, height).hex()))
        crc = struct.pack(">I", zlib.crc32(chunk[4:]))
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + crc + struct.pack(">I", 0) + b"IDAT")
    code, out, err = residua(weights, *(tmp_path / name for name in shapes))
    assert code == 1
    assert out == ""
    assert err.count("refused") == len(shapes)
    assert "a side has 65,535 at most" in err
    assert not recwarn.list


@pytest.fixture
def stdin(monkeypatch):
    def send(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return send


def test_an_image_on_standard_input(residua, weights, photos, stdin):
    stdin((photos / "a.png").read_bytes())
    code, out, err = residua(weights, "-", "--json")
    (found,) = json.loads(out)["predictions"]
    assert (code, err, found["image"]) == (0, "", "-")
    _, out, _ = residua(weights, photos / "a.png", "--json")
    assert found["top"] == json.loads(out)["predictions"][0]["top"]
    stdin(b"")
    assert residua(weights, "-") == (1, "", "residua: -: the file is empty\n")


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_list_of_images_on_standard_input(residua, weights, photos, stdin, tmp_path, end):
    listed = end.join([str(photos / "a.png"), str(photos / "none.png"), str(photos / "more")]).encode()
    stdin(listed)
    code, out, err = residua(weights, "--files-from", "-", "-k", "1")
    assert code == 1
    assert [line.split(": ")[0] for line in out.splitlines()] == [
        str(photos / "a.png"),
        str(photos / "more" / "b.JPG"),
    ]
    assert err == f"residua: {photos / 'none.png'}: No such file or directory\n"
    (tmp_path / "list.txt").write_bytes(listed)
    assert residua(weights, "--files-from", tmp_path / "list.txt", "-k", "1")[1] == out


def test_a_table_for_spreadsheets(residua, weights, photos):
    (photos / "=1+1,x.png").write_bytes(b"no image")
    code, out, _ = residua(weights, photos, "--csv", "-k", "2")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1
    assert list(rows[0]) == ["image", "label_1", "probability_1", "label_2", "probability_2", "error"]
    assert [row["image"] for row in rows] == [str(photos / n) for n in ("=1+1,x.png", "a.png", "more/b.JPG")]
    assert rows[0]["error"] == "not an image, or damaged at its beginning"
    for row in rows[1:]:
        assert row["error"] == ""
        assert 1 >= float(row["probability_1"]) >= float(row["probability_2"]) >= 0
    header = residua(weights, photos / "a.png", "--csv", "-k", "99")[1].splitlines()[0]
    assert header.endswith("label_3,probability_3,error")  # as many as there are classes


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_contact_sheet(residua, weights, photos, tmp_path, lang):
    (photos / "bad <b>.png").write_bytes(b"no image")
    page = tmp_path / "sheet.html"
    code, _, err = residua(weights, photos, "--page", page, "--lang", lang)
    text = page.read_text()
    assert code == 1
    assert str(page) in err
    assert text.count('<img src="data:image/jpeg;base64,') == 2
    assert "a.png" in text and "b.JPG" in text and "bad &lt;b&gt;.png" in text
    assert "http" not in text.split("</style>")[1]
    code, _, err = residua(weights, photos / "a.png", "--page", page)
    assert (code, "exists; --overwrite replaces it" in err) == (2, True)
    assert residua(weights, photos / "a.png", "--page", page, "--overwrite")[0] == 0


def test_wrong_uses_of_streams_and_forms(residua, weights, photos, stdin, tmp_path):
    stdin(b"")
    for arguments, said in (
        ((weights, "-", "-"), "can be read once"),
        ((weights, "--bogus"), "unknown option --bogus"),
        ((weights, "-", "--files-from", "-"), "can be read once"),
        ((weights, photos, "--csv", "--json"), "name one"),
        ((weights, photos, "--every", "-1"), "every must be seconds"),
        ((weights, photos, "--page", tmp_path), "is a directory"),
    ):
        code, _, err = residua(*arguments)
        assert (code, said in err, err.count("\n")) == (2, True, 1), arguments
    code, _, err = residua(weights, "--files-from", tmp_path / "none.txt")
    assert (code, "cannot read" in err) == (1, True)
