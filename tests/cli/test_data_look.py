"""``residua data look`` as a command: what it says, its page, and what it never overwrites."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Twelve photos of two classes, one of them in both; an empty file and an empty class folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((40, 30)).save(tmp_path / "photos" / name / f"{number}.png")
    copied = (tmp_path / "photos/cats/0.png").read_bytes()
    (tmp_path / "photos/dogs/copy.png").write_bytes(copied)
    (tmp_path / "photos/dogs/<b>&.jpg").touch()
    (tmp_path / "photos/later").mkdir()
    return Path("photos")


def test_it_says_what_is_there_and_what_is_wrong_and_leaves_a_page(command, photos):
    answer = command("data", "look", photos)
    assert (answer.code, answer.err) == (0, "")
    for said in (
        "cats",
        "! The same image in several classes: 1 (first cats/0.png, dogs/copy.png).",
        "! Class folders without any image, which are left out: 1 (later/).",
        "dogs/<b>&.jpg: the file is empty",
        "cifar_resnet20, recipe ",
        "It starts from the bundled weights.",
        "page  look-photos.html",
        "next: residua train photos",
    ):
        assert said in answer.out
    page = Path("look-photos.html").read_text(encoding="utf-8")
    assert "dogs/&lt;b&gt;&amp;.jpg" in page and "<b>&" not in page
    assert page.count("data:image/png;base64,") == 13 + 2  # the contact sheet, and the image of two classes
    assert "http" not in page.replace("http-equiv", "")


def test_json_is_one_object_that_accounts_for_every_file(command, photos):
    found = command("data", "look", photos, "--json").json
    assert found["schema"] == 1
    assert found["images"] == 13 and [row["images"] for row in found["classes"]] == [6, 7]
    assert {item["path"] for item in found["skipped"]} == {"dogs/<b>&.jpg", "later/"}
    assert found["groups"] == [
        {
            "files": ["cats/0.png", "dogs/copy.png"],
            "classes": ["cats", "dogs"],
            "parts": found["groups"][0]["parts"],
            "exact": True,
        }
    ]
    assert found["choice"]["model"] == "cifar_resnet20"
    assert {remark["key"] for remark in found["remarks"] if remark["wrong"]} >= {"look_contradicted"}
    assert Path(found["page"]).is_file()


def test_an_earlier_look_is_replaced_and_nothing_else(command, photos):
    assert command("data", "look", photos).code == 0
    assert command("data", "look", photos, "--lang", "zh").code == 0  # its own page
    assert "数据概览" in Path("look-photos.html").read_text(encoding="utf-8")
    Path("mine.html").write_text("mine")
    assert "mine.html exists" in command("data", "look", photos, "--out", "mine.html").refused(2)
    assert Path("mine.html").read_text() == "mine"
    assert command("data", "look", photos, "--out", "mine.html", "--overwrite").code == 0
    assert "residua survey.html" in Path("mine.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere",), 2, "no such file or folder"),
        (("text",), 2, "holds no images with classes"),
        (("photos/later",), 1, "0 class folders"),
        (("photos/cats",), 1, "the first of what is there is 0.png: in no class folder"),
        (("photos", "--out", "no/such/page.html"), 2, "no directory"),
    ],
)
def test_what_cannot_be_looked_at_is_one_line_and_leaves_nothing(command, photos, arguments, code, said):
    assert said in command("data", "look", *arguments).refused(code)
    assert said in command("data", "look", *arguments, "--json").json["error"]
    assert [path.name for path in Path().iterdir()] == ["photos"]


def test_a_folder_that_nothing_can_be_trained_on_is_shown_with_the_reason(command, photos):
    shutil.rmtree(photos / "dogs")
    answer = command("data", "look", photos)
    assert answer.code == 0 and "! Nothing can be trained on this: " in answer.out
    assert "it should have at least two" in answer.out


@pytest.mark.slow
def test_training_says_once_what_it_leaves_out(command, photos):
    answer = command(
        "train", photos, "--run-dir", "run", "--epochs", "1", "--limit-batches", "1", "--threads", "1"
    )
    assert answer.code == 0
    for said in (
        "left out later/: a class folder without any image",
        "skipped dogs/<b>&.jpg: the file is empty",
        "1 of 12 images lie in several classes, such as cats/0.png and dogs/copy.png: one of the labels is wrong",
    ):
        assert answer.err.count(said) == 1, answer.err
