import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.data import load_data
from residua.errors import UsageError
from residua.spec import DataSpec, Recipe


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("digits", {"kind": "digits", "fold": None}),
        ("digits:fold=2", {"kind": "digits", "fold": 2}),
        ("digits(fold=2)", {"kind": "digits", "fold": 2}),
        ("cifar10:/data", {"kind": "cifar10", "path": "/data"}),
        ("folder:digits", {"kind": "folder", "path": "digits"}),
        ("folder:a=b (2)", {"kind": "folder", "path": "a=b (2)"}),
        ("text", {"kind": "text", "path": None, "context": 128}),
        ("text:a:b", {"kind": "text", "path": "a:b", "context": 128}),
        ("text(context=64)", {"kind": "text", "path": None, "context": 64}),
        ("scenes:masks", {"kind": "scenes", "target": "masks"}),
        ("cifar10", {"kind": "path", "path": "cifar10"}),
        ("./digits", {"kind": "path", "path": "./digits"}),
        ("holiday (2)", {"kind": "path", "path": "holiday (2)"}),
        ("C:\\images", {"kind": "path", "path": "C:\\images"}),
        ("/data/a:b", {"kind": "path", "path": "/data/a:b"}),
    ],
)
def test_a_source_is_a_part_with_a_shorthand(source: str, parts: dict[str, object]) -> None:
    spec = DataSpec.of(source)
    assert spec.source.to_dict() == parts
    assert DataSpec.from_dict(spec.to_dict()) == spec
    if "(" not in source:
        assert str(spec.source) == source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("digits:fold=9", "fold must be from 0 to 4, not 9"),
        ("digits:x", "must be a whole number, not 'x'"),
        ("digits:folds=2", "no key 'folds'; did you mean 'fold'"),
        ("scenes:x", "must be one of 'boxes', 'masks', not 'x'"),
        ("scenes:", "source 'scenes' lacks target"),
        ("scenes", "source 'scenes' lacks target"),
        ("text(context=0)", "context must be above 0"),
    ],
)
def test_options_that_a_source_has_not_are_one_line(source: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        DataSpec.of(source)
    assert message in str(refused.value) and "\n" not in str(refused.value)


@given(st.text(max_size=30) | st.sampled_from(["digits", "text", "folder", "path"]).flatmap(
    lambda kind: st.text(":=()\\/2,'a", max_size=12).map(lambda rest: kind + rest)
))  # fmt: skip
def test_any_text_is_a_source_or_refused_in_one_line(text: str) -> None:
    try:
        spec = DataSpec.of(text)
    except UsageError as error:
        assert len(str(error).splitlines()) <= 1 or len(text.splitlines()) > 1
    else:
        assert DataSpec.from_dict(spec.to_dict()) == spec


def test_an_unknown_kind_gets_the_nearest_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="did you mean 'cifar10'"):
        load_data("cifra10:data")
    monkeypatch.chdir(tmp_path)
    Path("odd:name").mkdir()
    assert DataSpec.of("odd:name").source.to_dict() == {"kind": "path", "path": "odd:name"}


@pytest.mark.parametrize("source", ["nowhere", "cifar10:", "cifar10", "folder:nowhere", ""])
def test_a_path_that_is_not_there_is_one_line(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no such file or folder") as refused:
        load_data(source)
    assert refused.value.exit_code == 2


def test_what_lies_there_tells_the_kind(pickled_cifar10: Path, make_folder, tmp_path: Path) -> None:
    def kind_of(path: Path) -> str:
        return DataSpec.of(path).source.resolved().kind

    assert kind_of(pickled_cifar10) == kind_of(pickled_cifar10.parent) == "cifar10"
    assert kind_of(make_folder({"train/a": 1, "test/a": 1})) == "folder", (
        "folders called train and test are no CIFAR-100"
    )
    (pickled_cifar10.parent / "cifar-100-binary.tar.gz").touch()
    with pytest.raises(UsageError, match="cifar10 and cifar100"):
        kind_of(pickled_cifar10.parent)
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
    code = (
        "import sys, residua.data.fetch; from residua import parts, spec; spec.Recipe(), spec.DataSpec(); "
        "sys.exit('torch' in sys.modules or len(parts.parts('source')) < 9 or len(parts.parts('augmentation')) < 3)"
    )
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


@pytest.mark.parametrize(
    ("before", "moved", "after"),
    [
        ("text(context=64)", "text:/there", {"kind": "text", "path": "/there", "context": 64}),
        ("folder:here", "/there", {"kind": "folder", "path": "/there"}),
        ("folder:here", "cifar10:/there", {"kind": "cifar10", "path": "/there"}),
        ("digits", "/there", {"kind": "path", "path": "/there"}),
    ],
)
def test_data_that_moved_keep_their_options(before: str, moved: str, after: dict[str, object]) -> None:
    assert DataSpec.of(before).moved(moved).source.to_dict() == after


def test_what_version_0_1_wrote_is_read(tmp_path: Path) -> None:
    old = {"schema": 1, "source": "text:/books", "context": 32, "image_size": None, "val_fraction": 0.2}
    spec = DataSpec.from_dict(old)
    assert spec == DataSpec.of("text:/books").change(context=32, val_fraction=0.2)
    assert DataSpec.from_dict({**old, "source": "photos"}).source.to_dict() == {
        "kind": "path",
        "path": "photos",
    }
    recipe = Recipe.from_dict({"schema": 1, "pad": 4, "flip": False})
    assert recipe == Recipe().change(pad=4, flip=False) == Recipe().change(augmentation="crop_flip(4, false)")
    with pytest.raises(UsageError, match="source 'digits' has no key 'context'"):
        DataSpec().change(context=64)
