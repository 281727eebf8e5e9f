"""A run folder of anybody's opens no path that this user has not named."""

import json
import os
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from residua.cli.main import main
from residua.data import load_data
from residua.data.named_paths import is_named, remember
from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate
from residua.runs.trusted_data import trusted_data
from residua.spec import DataSpec
from residua.train import RunFolder, fit, resume


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for i in range(8):
            pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """Makes the present user another one, who has named nothing yet."""

    def move():
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))

    return move


@pytest.fixture
def run(photos, tmp_path):
    changes = {"epochs": 1, "batch_size": 4}
    options = {"threads": 1, "progress": False, "recipe_changes": changes, "limit_batches": 1}
    return fit("cifar_resnet8", photos, run_dir=tmp_path / "run", **options)


@pytest.mark.parametrize("said", [0, 1], ids=["evaluate", "train"])
def test_either_command_of_the_refusal_names_the_data(run, elsewhere, said):
    elsewhere()
    with pytest.raises(UsageError) as refused:
        evaluate(run)
    commands = str(refused.value).split("name it once: ")[1].split(", or ")
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(commands[said])[1:])
    assert ended.value.code == 0
    evaluate(run)


def test_ones_own_run_finds_its_data_and_a_strangers_asks(run, photos, elsewhere):
    evaluate(run)
    elsewhere()
    assert not is_named(photos)
    for use in (lambda: evaluate(run), lambda: resume(run, epochs=2, progress=False)):
        with pytest.raises(
            UsageError, match=f"trained on {photos}, a path that you have not named"
        ) as refused:
            use()
        assert "\n" not in str(refused.value)
    evaluate(run, photos)  # named: from here on it is one's own
    assert is_named(photos)
    evaluate(run)
    assert resume(run, epochs=2, progress=False).result["epochs"] == 2


@pytest.mark.parametrize(
    ("kind", "path", "source"),
    [
        ("folder", "/etc", "folder:/etc"),
        ("text", "/etc", "text:/etc"),
        ("text", None, "text:/etc/passwd"),
        ("digits", None, "/etc"),
        ("cifar10", "/etc/passwd", "cifar10:/etc/passwd"),
    ],
)
def test_whatever_data_json_says_no_path_is_opened(run, kind, path, source, monkeypatch):
    file = run.path / "data.json"
    stored = json.loads(file.read_text())
    stored |= {"kind": kind, "path": path, "spec": stored["spec"] | {"source": source}}
    file.write_text(json.dumps(stored))
    with pytest.raises(UsageError, match="that you have not named"):
        trusted_data(RunFolder(run.path))


def test_shipped_data_need_no_name_and_missing_data_are_missing(run, photos, elsewhere, tmp_path):
    digits = fit(
        "cifar_resnet8", "digits", run_dir=tmp_path / "digits", limit_batches=1, progress=False, threads=1
    )
    elsewhere()
    assert trusted_data(digits) == DataSpec()
    photos.rename(tmp_path / "moved")
    with pytest.raises(ResiduaError, match="no such file or folder"):
        evaluate(run)


def test_a_path_is_the_same_by_any_name(tmp_path, monkeypatch):
    odd = tmp_path / os.fsdecode(b"\xff\n\x1b name")
    odd.mkdir()
    (tmp_path / "link").symlink_to(odd)
    assert not is_named(odd)
    remember(tmp_path / "link")
    assert is_named(odd)
    monkeypatch.chdir(tmp_path)
    assert is_named(Path(odd.name))
    assert not is_named(tmp_path)


def test_where_nothing_can_be_kept_nothing_fails(photos, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    load_data(str(photos))
    assert not is_named(photos)


def test_data_that_the_caller_has_loaded_are_taken_as_they_are(run, photos, elsewhere):
    loaded = load_data(str(photos))
    elsewhere()
    extended = resume(run, epochs=2, data=loaded, progress=False)
    assert extended.result["epochs"] == 2
