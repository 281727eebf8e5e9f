"""Images made small once: what is written, and that a kill, a full disk and damage cost no more than a shard."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from residua import files
from residua.data import load_data
from residua.data.image import BadImage
from residua.data.prepared import MANIFEST, Settings, prepare
from residua.errors import ResiduaError, UsageError
from residua.files import InUse, locked
from residua.spec import DataSpec

SMALL = Settings(size=32, per_shard=8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """20 large JPEG photos of two classes, four small PNGs and a broken file, in train/ and test/."""
    random = np.random.default_rng(0)
    for i in range(24):
        path = (
            tmp_path / "photos" / ("train" if i % 3 else "test") / ("zebra" if i % 2 else "ant") / f"{i:02}"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        size = (24, 20) if i >= 20 else (120, 80)
        image = Image.fromarray(random.integers(0, 256, (4, 6, 3), np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        image.save(path.with_suffix(".png" if i >= 20 else ".jpg"), quality=95)
    (tmp_path / "photos/train/ant/broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    return tmp_path / "photos"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_is_prepared_trains_as_the_photos_do(photos: Path, tmp_path: Path) -> None:
    found = prepare(photos, tmp_path / "small", settings=SMALL)
    assert (found.images, found.shards, found.made) == (24, 4, 4)
    assert list(found.left_out) == ["train/ant/broken.jpg"]
    whole, small = (
        load_data(DataSpec.of(path).change(image_size=16)) for path in (photos, tmp_path / "small")
    )
    assert small.kind == "tar" and small.classes == whole.classes == ("ant", "zebra")
    counts = [data.identity["counts"] for data in (whole, small)]
    assert counts[0] == counts[1] == {"train": 14, "val": 2, "test": 8}
    pictures = [data.test.read(np.arange(8)) for data in (whole, small)]
    order = [np.argsort(images.float().mean((1, 2, 3)).numpy()) for images, _ in pictures]
    one, other = (images[place].float() for (images, _), place in zip(pictures, order, strict=True))
    assert (one - other).abs().mean() < 3, "levels of 255"
    (skipped,) = small.identity["skipped"]
    assert re.fullmatch(r"train-00000\d.tar/train/ant/broken.jpg", skipped["path"])


def test_a_shard_holds_small_jpegs_their_labels_and_where_they_came_from(
    photos: Path, tmp_path: Path
) -> None:
    prepare(photos, tmp_path / "small", settings=SMALL)
    seen = {}
    for shard in (tmp_path / "small").glob("*.tar"):
        with tarfile.open(shard) as tar:
            names = tar.getnames()
            assert names[1::2] == [f"{Path(name).stem}.json" for name in names[::2]]
            for name in names[::2]:
                image, about = (tar.extractfile(each).read() for each in (name, f"{Path(name).stem}.json"))
                held = json.loads(about)
                seen[held["file"]] = (Image.open(io.BytesIO(image)).size, image)
                assert held["class"] == Path(held["file"]).parent.name == ["ant", "zebra"][held["label"]]
    assert len(seen) == 24
    for file, (size, image) in seen.items():
        if file.endswith(".png"):
            assert image == (photos / file).read_bytes(), "a small one stays as it is"
        else:
            assert size == (48, 32)


def test_the_same_command_makes_nothing_twice_and_mends_what_is_damaged(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    prepare(photos, out, settings=SMALL)
    before = contents(out)
    assert prepare(photos, out, settings=SMALL, threads=2).made == 0 and contents(out) == before
    photos = photos.rename(tmp_path / "moved")
    with (out / "train-000001.tar").open("r+b") as file:
        file.seek(3000)
        file.write(b"damage")
    (out / "index/test-000000.json").write_text("{}")
    assert prepare(photos, out, settings=SMALL).made == 2
    assert {**contents(out), MANIFEST: b""} == {**before, MANIFEST: b""}


def test_damage_that_a_decoder_may_not_see_is_seen_when_an_image_is_read(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "small"
    prepare(photos, out, settings=SMALL)
    data = load_data(DataSpec.of(out).change(image_size=16), storage="stream")
    held = json.loads((out / "index/test-000000.json").read_text())
    with (out / "test-000000.tar").open("r+b") as file:
        file.seek(held["offsets"][2] + held["sizes"][2] // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    data.test.read(np.arange(8))
    assert data.test.left_out == {2: "its bytes are not those that were written"}


def test_other_images_settings_and_folders_are_not_written_over(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    prepare(photos, out, settings=SMALL)
    before = contents(out)
    with pytest.raises(UsageError, match="size is 32 there, not 48; another --out"):
        prepare(photos, out, settings=Settings(size=48, per_shard=8))
    (photos / "train/ant/02.jpg").unlink()
    with pytest.raises(UsageError, match="was prepared from other images or otherwise"):
        prepare(photos, out, settings=SMALL)
    with pytest.raises(UsageError, match="holds test, and is not a folder of prepared images"):
        prepare(photos, photos)
    with pytest.raises(UsageError, match="digits data are ready to be trained on"):
        prepare("digits", tmp_path / "digits")
    with pytest.raises(UsageError, match="the size is 8 px or more"):
        prepare(photos, out, settings=Settings(size=0))
    with pytest.raises(BadImage, match=r"broken\.jpg"):
        prepare(DataSpec.of(photos).change(strict=True), tmp_path / "strict")
    assert contents(out) == before and not (tmp_path / "digits").exists()


def test_two_at_once_do_not_write_one_folder(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    with locked(tmp_path / "small"), pytest.raises(InUse):
        prepare(photos, tmp_path / "small", settings=SMALL)


def test_a_full_disk_is_one_line_and_what_is_whole_stays(photos: Path, tmp_path: Path, monkeypatch) -> None:
    out, synced = tmp_path / "small", []

    def full(handle: int) -> None:
        synced.append(handle)
        if len(synced) > 8:  # in the second shard
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ResiduaError, match=r"cannot write .*small.*No space left on device"):
        prepare(photos, out, settings=SMALL)
    monkeypatch.undo()
    left = [path.name for path in out.glob("*.tar")]
    assert left == ["test-000000.tar"] and not [path for path in out.rglob(".*") if path.is_file()]
    assert not json.loads((out / MANIFEST).read_text())["complete"]
    assert prepare(photos, out, settings=SMALL).made == 3
    prepare(photos, tmp_path / "again", settings=SMALL)
    assert contents(out) == contents(tmp_path / "again")


def test_it_trains_while_it_is_made_and_says_so(photos: Path, tmp_path: Path, caplog) -> None:
    out, seen = tmp_path / "small", []

    def look(done: int, total: int) -> None:
        if done == 14:  # two shards of four
            seen.append(load_data(DataSpec.of(out).change(image_size=16)))
            assert total == 25

    prepare(photos, out, settings=SMALL, progress=look)
    assert sum(seen[0].identity["counts"].values()) in (13, 14)
    assert "is still being prepared" in caplog.text
    caplog.clear()
    load_data(out)
    assert "still being prepared" not in caplog.text


def test_parquet_and_shards_can_be_prepared_too(photos: Path, tmp_path: Path) -> None:
    prepare(photos, tmp_path / "small", settings=SMALL)
    again = prepare(tmp_path / "small", tmp_path / "smaller", settings=Settings(size=16))
    assert again.images == 24
    assert load_data(tmp_path / "smaller").classes == ("ant", "zebra")


FORMATS = ("BMP", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "PNG", "JPEG", "MPO")


def test_small_images_of_every_format_stay_as_they_are(tmp_path: Path) -> None:
    for number, form in enumerate(FORMATS * 2):
        path = tmp_path / "photos" / "ab"[number >= len(FORMATS)] / f"{form}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.full((20, 24, 3), 10 * number, np.uint8))
        image.save(path, form, **({"save_all": True, "append_images": [image]} if form == "MPO" else {}))
    found = prepare(tmp_path / "photos", tmp_path / "small", settings=SMALL)
    assert found.images == 2 * len(FORMATS) and not found.left_out
    assert prepare(tmp_path / "photos", tmp_path / "small", settings=SMALL).made == 0
    assert sum(load_data(tmp_path / "small").identity["counts"].values()) == found.images


SLOWLY = """
import sys, time
from residua.data import prepared
make = prepared._make
def slow(*a, **k):
    time.sleep(0.05)
    return make(*a, **k)
prepared._make = slow
prepared.prepare(sys.argv[1], prepared.Path(sys.argv[2]), settings=prepared.Settings(size=32, per_shard=2))
"""


@pytest.mark.slow
def test_a_killed_preparation_goes_on_to_the_same_bytes(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(photos), str(out)])
    try:
        waited = time.monotonic() + 60
        while len(list(out.glob("*.tar"))) < 3 and time.monotonic() < waited:
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
        process.wait()
    settings = Settings(size=32, per_shard=2)
    there = {path.name: path.stat().st_mtime_ns for path in (out / "index").glob("*.json")}
    assert 2 <= len(there) < 13
    found = prepare(photos, out, settings=settings)
    assert found.made == found.shards - len(there)
    assert all((out / "index" / name).stat().st_mtime_ns == when for name, when in there.items())
    prepare(photos, tmp_path / "whole", settings=settings)
    assert contents(out) == contents(tmp_path / "whole")
