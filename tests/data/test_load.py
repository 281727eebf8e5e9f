import subprocess
import sys
from pathlib import Path

import pytest

from residua.data import load_data
from residua.data.load import sniff, split_source
from residua.errors import UsageError
from residua.spec import DataSpec


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("digits", ("digits", "")),
        ("digits:fold=2", ("digits", "fold=2")),
        ("cifar10:/data", ("cifar10", "/data")),
        ("folder:digits", ("folder", "digits")),
        ("./digits", (None, "./digits")),
        ("C:\\images", (None, "C:\\images")),
        ("/data/a:b", (None, "/data/a:b")),
    ],
)
def test_a_source_is_a_kind_and_a_path(source: str, parts: tuple[str | None, str]) -> None:
    assert split_source(source) == parts


def test_an_unknown_kind_gets_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        load_data("cifra10:data")
    monkeypatch.chdir(tmp_path)
    Path("odd:name").mkdir()
    assert split_source("odd:name") == (None, "odd:name")


@pytest.mark.parametrize("source", ["nowhere", "cifar10:", "cifar10", "folder:nowhere", ""])
def test_a_path_that_is_not_there_is_one_line(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such file or folder") as refused:
        load_data(source)
    assert refused.value.exit_code == 2


def test_what_lies_there_tells_the_kind(pickled_cifar10: Path, make_folder, tmp_path: Path) -> None:
    assert sniff(pickled_cifar10) == sniff(pickled_cifar10.parent) == "cifar10"
    assert sniff(make_folder({"train/a": 1, "test/a": 1})) == "folder", (
        "folders called train and test are no CIFAR-100"
    )
    (pickled_cifar10.parent / "cifar-100-binary.tar.gz").touch()
    with pytest.raises(UsageError, match="cifar10 and cifar100"):
        sniff(pickled_cifar10.parent)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="neither a folder nor"):
        load_data(str(tmp_path / "notes.txt"))
    with pytest.raises(UsageError, match="is a file"):
        load_data(f"folder:{tmp_path / 'notes.txt'}")


def test_workers_and_storage_are_checked() -> None:
    with pytest.raises(UsageError, match="-1"):
        load_data("digits", workers=-1)
    with pytest.raises(UsageError, match="'disk'"):
        load_data("digits", storage="disk")


def test_the_room_and_fetch_import_no_torch() -> None:
    code = "import sys, residua.data, residua.data.fetch; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_curves_on_the_test_images_hold_no_training_images_out() -> None:
    data = load_data(DataSpec(val_fraction=0, validate_on="test"))
    assert data.val is data.test
    assert len(data.train) == 1437
    assert "test images" in data.identity["splits"]["val"]
    with pytest.raises(UsageError, match="val_fraction must be 0"):
        DataSpec(validate_on="test")
    with pytest.raises(UsageError, match="images with classes"):
        load_data(DataSpec(source="scenes:boxes", val_fraction=0, validate_on="test"))
