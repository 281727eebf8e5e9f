"""Tables of labels: read as the folder of the same images would be, or refused in a line that says what is right."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from residua.data import load_data
from residua.data.sources.label_table import is_label_table
from residua.errors import ResiduaError, UsageError
from residua.spec import DataSpec

ROWS = [(f"{number}.png", "cat" if number % 3 else "dog") for number in range(30)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for number in range(30):
        pixels = random.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return tmp_path


def table(folder: Path, header: str, *rows: object, name: str = "labels.csv") -> Path:
    lines = [header, *(row if isinstance(row, str) else ",".join(map(str, row)) for row in rows)]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("header", ["file,label", "image,class", "Path,Category", "id,breed"])
def test_a_table_is_read_as_the_images_with_their_classes(photos, header):
    data = load_data(table(photos, header, *ROWS))
    assert (data.kind, data.classes, data.shape) == ("labels", ("cat", "dog"), (3, 20, 20))
    for part in (data.train, data.val, data.test):
        named = {
            Path(path).name: data.classes[label]
            for path, label in zip(part.paths(), part.labels, strict=True)
        }
        assert named and named.items() <= dict(ROWS).items()
    assert data.identity["path"] == str(photos / "labels.csv")


def test_numbers_under_label_are_classes_in_their_order(photos):
    rows = [(f"{number}.png", number % 3 * 5) for number in range(30)]
    assert load_data(table(photos, "file,label", *rows)).classes == ("0", "5", "10")
    ages = table(photos, "file,age", *rows, name="ages.csv")
    assert not is_label_table(ages) and load_data(ages).kind == "csv"
    shares = table(
        photos, "file,label", *((name, 0.5 + i) for i, (name, _) in enumerate(ROWS)), name="shares.csv"
    )
    assert load_data(shares).kind == "csv"


def test_a_column_may_tell_the_parts(photos):
    rows = [(name, label, "test" if i >= 24 else "train") for i, (name, label) in enumerate(ROWS)]
    data = load_data(table(photos, "file,label,split", *rows))
    assert sorted(int(Path(path).stem) for path in data.test.paths()) == list(range(24, 30))


def test_what_is_missing_is_left_out_and_listed(photos):
    path = table(photos, "file,label", *ROWS, "gone.png,cat", "29b.png,", "0 .txt,dog")
    (photos / "3.png").write_bytes(b"")
    skipped = {item["path"]: item["reason"] for item in load_data(path).identity["skipped"]}
    assert skipped == {
        "0 .txt": "no such file",
        "29b.png": "no label",
        "3.png": "the file is empty",
        "gone.png": "no such file",
    }
    with pytest.raises(ResiduaError, match=r"line 32: 'gone.png': no such file"):
        load_data(DataSpec.of(str(path)).change(strict=True))


def test_changed_labels_are_other_data(photos):
    before = load_data(table(photos, "file,label", *ROWS)).identity["fingerprint"]
    swapped = [ROWS[0], *((name, "dog" if label == "cat" else "cat") for name, label in ROWS[1:])]
    assert load_data(table(photos, "file,label", *swapped)).identity["fingerprint"] != before


def test_other_columns_are_named(photos):
    path = table(photos, "file,animal,colour", *((*row, "red") for row in ROWS))
    with pytest.raises(
        UsageError, match=r"which column is the class of an image: animal, colour\?.*label=NAME"
    ):
        load_data(f"labels:{path}")
    spec = DataSpec.of(f"labels:{path}").change(
        source={"kind": "labels", "path": str(path), "label": "animal"}
    )
    assert load_data(spec).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("header", "rows", "said"),
    [
        (
            "file,label",
            ["0.png,cat;dog", "1.png,cat", "2.png,dog"],
            "'cat;dog' is several labels.*0 and 1 for each",
        ),
        ("file,label", ["0.png,cat|dog", "1.png,dog|eel", "2.png,cat"], "is several labels"),
        (
            "file,label",
            ["0.png,cat", "1.png,dog", "0.png,dog"],
            "line 4: '0.png' stands in line 2.*'dog' here and as 'cat'",
        ),
        ("file,label,class", ["0.png,cat,x", "1.png,dog,y"], "label, class.*label=NAME"),
        ("file,label", ["0.png,cat", "1.png,dog,x"], "line 3: 3 columns, where the header has 2"),
        ("file,label", ["no.png,cat", "none.png,dog"], "names no file that is there; the first: no.png"),
        ("file,label", ["0.png,cat", "1.png,cat"], "at least two"),
        ("file,label,split", ["0.png,cat,train", "1.png,dog,tset"], "line 3: 'tset' is no part.*'test'"),
    ],
)
def test_what_is_unclear_or_several_is_refused_in_one_line(photos, header, rows, said):
    with pytest.raises(ResiduaError, match=said) as refused:
        load_data(f"labels:{table(photos, header, *rows)}")
    assert "\n" not in str(refused.value)


def test_columns_of_0_and_1_are_learnt_as_numbers_and_said(photos, caplog):
    rows = [(f"{number}.png", number % 2, int(number % 3 == 0)) for number in range(30)]
    data = load_data(table(photos, "file,cat,dog", *rows))
    assert data.kind == "csv" and "as of several labels an image" in caplog.text


def test_parquet_of_names_and_labels(photos):
    pa = pytest.importorskip("pyarrow", reason="parquet files are read by pyarrow (residua[parquet])")
    from pyarrow import parquet

    names, labels = map(list, zip(*ROWS, strict=True))
    parquet.write_table(pa.table({"label": labels, "file": names, "width": [1.5] * 30}), photos / "t.parquet")
    data = load_data(photos / "t.parquet")
    assert (data.kind, data.classes) == ("labels", ("cat", "dog"))
    parquet.write_table(
        pa.table({"file": names, "label": [[label] for label in labels]}), photos / "l.parquet"
    )
    with pytest.raises(ResiduaError, match="'label' holds several labels"):
        load_data(f"labels:{photos / 'l.parquet'}")


def test_a_folder_whose_images_lie_in_several_classes_is_refused(make_folder):
    root = make_folder({"a": 30, "b": 30})
    for number in range(3):
        (root / "b" / f"copy{number}.png").write_bytes((root / "a" / f"{number:03}.png").read_bytes())
    load_data(root)  # three are mistakes
    for number in range(3, 15):
        (root / "b" / f"copy{number}.png").write_bytes((root / "a" / f"{number:03}.png").read_bytes())
    with pytest.raises(
        ResiduaError, match=r"15 of 60 images lie in several classes, such as a/000.png and b/copy0"
    ):
        load_data(root)


@settings(max_examples=30)
@given(st.text(max_size=200))
def test_any_text_is_a_table_or_one_line(text):
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        path.write_text(text, encoding="utf-8", errors="replace", newline="")
        assert is_label_table(path) in (True, False)
        with pytest.raises(ResiduaError) as refused:
            load_data(f"labels:{path}")
        assert len(str(refused.value).splitlines()) == 1
