"""What a look finds of every kind of source: the same images, parts and choices as a training of it."""

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from residua.data import load_data
from residua.data.facts import read_facts
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec
from residua.survey import take_survey
from residua.train.choices import choose
from residua.train.plan import choose_device


def scene(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten photos of each of two classes, and one of a third."""
    root = tmp_path / "photos"
    for number, name in enumerate([*"a" * 10, *"b" * 10, "c"]):
        (root / name).mkdir(parents=True, exist_ok=True)
        scene(number).save(root / name / f"{number:02}.png")
    return root


def test_classes_parts_and_choice_are_those_of_a_training(photos):
    survey = take_survey(photos)
    data = load_data(photos)
    assert survey.classes == data.classes
    for part in ("train", "val", "test"):
        files = {Path(path).relative_to(photos).as_posix() for path in data.split(part).paths()}
        contents = survey.contents
        assert files == {
            name for name, where in zip(contents.names, contents.parts, strict=True) if where == part
        }
    assert survey.choice == choose(read_facts(DataSpec.of(str(photos))), device=choose_device("auto"))


def test_odd_photos_are_told_by_what_they_are(photos):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 8
    scene(50, (60, 40)).save(photos / "a" / "turned.jpg", exif=exif)
    scene(51, (64, 48)).convert("L").save(photos / "b" / "grey.bmp")
    found = take_survey(photos).to_dict()
    assert (found["turned"], found["grey"], found["images"]) == (1, 1, 23)
    assert found["formats"] == {"PNG": 21, "JPEG": 1, "BMP": 1}
    assert found["sizes"] == {"width": [40, 40, 64], "height": [30, 30, 60], "shorter": [30, 30, 48]}
    json.dumps(found, allow_nan=False)


def test_what_cannot_be_read_has_a_reason_and_no_part(photos):
    (photos / "a" / "00.png").write_bytes((photos / "a" / "00.png").read_bytes()[:400])
    (photos / "a" / "empty.jpg").touch()
    (photos / "b" / "notes.txt").write_text("x")
    (photos / "none").mkdir()
    survey = take_survey(photos)
    assert survey.contents.left_out == {
        "a/00.png": "truncated",
        "a/empty.jpg": "the file is empty",
        "b/notes.txt": "no image, by its name",
        "none/": "a class folder without any image",
    }
    assert [row["images"] for row in survey.counts()] == [9, 10, 1]


def test_copies_across_parts_and_classes_are_told_apart(tmp_path):
    for part, name, seed in (
        *(("train", name, seed) for seed, name in enumerate("aaabbb")),
        *(("test", "a", 10), ("test", "b", 11)),
        *(("test", "a", 0), ("train", "b", 1), ("train", "a", 2)),  # tested on, of two classes, twice
    ):
        folder = tmp_path / part / name
        folder.mkdir(parents=True, exist_ok=True)
        scene(seed).save(folder / f"{len(list(folder.iterdir()))}.png")
    survey = take_survey(tmp_path)
    assert [(survey.across(group), survey.contradicts(group), group.exact) for group in survey.groups] == [
        (True, False, True),
        (False, True, True),
        (False, False, True),
    ]


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a/1.png", "a/2.png"), "1 class folders"),
        (("train/a/1.png", "train/b/1.png", "test/c/1.png"), "class 'c'"),
    ],
)
def test_a_folder_that_nothing_can_be_trained_on_is_looked_at_all_the_same(names, why, tmp_path):
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        scene(number).save(tmp_path / name)
    survey = take_survey(tmp_path)
    assert len(survey.contents.photos) == len(names) and survey.choice is None
    assert why in survey.contents.refusal


def test_the_digits_are_looked_at_too():
    survey = take_survey("digits")
    assert len(survey.contents.photos) == 1797 and len(survey.classes) == 10
    assert {group.exact for group in survey.groups} <= {True}  # 8 px are compared by their bytes alone
    assert survey.contents.image(0).size == (8, 8)


def test_a_table_of_numbers_has_no_classes(photos):
    rows = [
        f"{path.relative_to(photos)},{number}" for number, path in enumerate(sorted(photos.rglob("*.png")))
    ]
    (photos / "ages.csv").write_text("\n".join(["file,age", *rows]))
    survey = take_survey(photos / "ages.csv")
    assert survey.classes == () and len(survey.contents.photos) == 21
    assert not any(map(survey.contradicts, survey.groups))


def test_a_table_and_a_parquet_file_are_looked_at_as_the_folder_is(photos, tmp_path):
    pa = pytest.importorskip("pyarrow", reason="parquet files are read by pyarrow (residua[parquet])")
    from pyarrow import parquet

    files = sorted(photos.rglob("*.png"))
    labels = [path.parent.name for path in files]
    names = [path.relative_to(photos).as_posix() for path in files]
    rows = [",".join(row) for row in zip(names, labels, strict=True)]
    (photos / "labels.csv").write_text("\n".join(["file,label", *rows, "gone.png,a"]))
    contents = [path.read_bytes() for path in files]
    parquet.write_table(pa.table({"image": contents, "label": labels}), tmp_path / "photos.parquet")
    folder, table, shard = map(take_survey, (photos, photos / "labels.csv", tmp_path / "photos.parquet"))
    assert table.contents.left_out == {"gone.png": "no such file"}
    for survey in (table, shard):
        assert survey.counts() == folder.counts()
        assert survey.sizes() == folder.sizes()
        assert survey.choice is not None and survey.choice.steps == folder.choice.steps


@pytest.mark.parametrize("source", ["text", "moving-digits"])
def test_what_holds_no_images_with_classes_is_refused(source):
    with pytest.raises(UsageError, match="holds no images with classes"):
        take_survey(source)


def test_nothing_readable_is_one_line(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.jpg").touch()
    with pytest.raises(ResiduaError, match=r"the first of what is there is a/x\.jpg: the file is empty"):
        take_survey(tmp_path)


PNG, JPEG = (
    (lambda kind: (lambda file: (scene(0).save(file, kind), file.getvalue())[1])(io.BytesIO()))(kind)
    for kind in ("PNG", "JPEG")
)
BYTES = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.sampled_from([PNG, JPEG]), st.integers(0, 1200)).map(lambda pair: pair[0][: pair[1]]),
    st.sampled_from([PNG, JPEG]),
)
NAMES = st.sampled_from(
    ["a/1.png", "a/2.jpg", "b/1.png", "b/2.JPEG", "b/deep/3.png", "c/.x.png", "c/n.txt", "loose.png"]
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, BYTES, max_size=8))
def test_every_file_of_a_hostile_folder_is_an_image_or_has_a_reason(files: dict[str, bytes]) -> None:
    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / name).write_bytes(content)
        try:
            survey = take_survey(folder)
        except ResiduaError as refused:
            assert "\n" not in str(refused)
            return
        read, left_out = set(survey.contents.names), set(survey.contents.left_out)
        assert not read & left_out
        assert set(files) <= read | left_out
