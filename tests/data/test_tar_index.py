"""Hostile tar files: whatever they claim, an index is made of what is there, and nothing else happens."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.shards import encoded, samples, write_tar

from residua.data.tar_index import MAX_HEADER, ShardIndex, read_index


def index(path: Path) -> ShardIndex:
    with path.open("rb") as file:
        return read_index(file, path.stat().st_size)


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.size, member.linkname = kind, size, link
    return member


def test_an_index_says_where_the_bytes_of_every_image_are(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", samples(range(5)))
    found, content = index(path), path.read_bytes()
    assert found.labels == [0, 1, 0, 1, 0] and found.damage is None and not found.left_out
    for i, (offset, size) in enumerate(zip(found.offsets, found.sizes, strict=True)):
        assert content[offset : offset + size] == encoded(i)
    stored = ShardIndex.from_json(json.loads(json.dumps(found.to_json())))
    assert stored.names == found.names and np.array_equal(stored.offsets, found.offsets)


def test_names_are_no_paths_and_only_files_are_images(tmp_path: Path) -> None:
    members = [
        ("../../evil.png", encoded(0)), ("../../evil.cls", b"0"),
        ("/etc/evil.png", encoded(1)), ("/etc/evil.cls", b"1"),
        (header("folder.png", tarfile.DIRTYPE), b""),
        (header("link.png", tarfile.SYMTYPE, link="/etc/passwd"), b""),
        (header("hard.png", tarfile.LNKTYPE, link="../../evil.png"), b""),
        (header("pipe.png", tarfile.FIFOTYPE), b""),
        (header("sparse.png", tarfile.GNUTYPE_SPARSE), b""),
        ("note.txt", b"hello"), ("alone.png", encoded(2)),
        ("twice.png", encoded(3)), ("twice.jpg", encoded(3)), ("twice.cls", b"0"),
    ]  # fmt: skip
    found = index(write_tar(tmp_path / "in" / "x.tar", members))
    assert found.names == ["../../evil.png", "/etc/evil.png", "twice.png"]
    assert {name: why.split(",")[0] for name, why in found.left_out.items()} == {
        "link.png": "a link", "hard.png": "a link", "pipe.png": "a link", "sparse.png": "a link",
        "note.txt": "no image", "alone.png": "no .cls and no .json beside it",
        "twice.jpg": "a second image beside twice.png",
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "x.tar"]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ({".cls": b"\xff\xfe"}, "no text"),
        ({".cls": b""}, "neither a whole number"),
        ({".cls": b"9" * 5000}, "neither"),
        ({".cls": b"1" * (2 << 20)}, "refused"),
        ({".json": b"[1]"}, "no object"),
        ({".json": b'{"label": 1, "label": null}'}, "one class an image"),
        ({".json": b"{"}, "damaged"),
        ({".json": b"[" * 100_000}, "damaged"),
        ({".json": b'{"label": [1, 2]}'}, "one class an image"),
        ({".json": b'{"label": true}'}, "one class an image"),
        ({".json": b'{"label": 1.5}'}, "one class an image"),
        ({".json": b'{"label": "a\\nb"}'}, "one class an image"),
        ({".json": b'{"other": 1}'}, "has no label or cls or class"),
    ],
)
def test_labels_that_are_none_leave_their_image_out(tmp_path: Path, label: dict, why: str) -> None:
    members = [("a.png", encoded(0)), *((f"a{end}", content) for end, content in label.items())]
    found = index(write_tar(tmp_path / "x.tar", members))
    assert not found.names and why in found.left_out["a.png"]


def test_a_label_that_is_cut_is_none(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", [("a.png", encoded(0)), ("a.cls", b"12")])
    with path.open("rb") as file:
        place = file.read().index(b"12\0\0")
    path.write_bytes(path.read_bytes()[: place + 1])
    assert index(path).left_out["a.png"] in ("its label is truncated", "no .cls and no .json beside it")
    assert not index(path).names


def test_a_header_that_claims_memory_or_leads_back_is_damage(tmp_path: Path) -> None:
    good = write_tar(tmp_path / "good.tar", samples(range(3))).read_bytes().rstrip(b"\0")
    good += bytes(-len(good) % 512)
    huge = header("x", tarfile.XHDTYPE, 8 << 30).tobuf(tarfile.GNU_FORMAT)
    back = header("x.png", size=-2048).tobuf(tarfile.GNU_FORMAT)
    chain = header("x", tarfile.GNUTYPE_LONGNAME, 1).tobuf(tarfile.GNU_FORMAT) + b"y".ljust(512, b"\0")
    bomb = header("x.png", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT)
    bomb = bomb[:482] + b"\1" + bomb[483:]
    for name, evil in {
        "huge": huge + bytes(2 * MAX_HEADER), "back": back, "chain": chain * 5000, "bomb": bomb, "noise": b"z" * 4096
    }.items():  # fmt: skip
        path = tmp_path / f"{name}.tar"
        path.write_bytes(good + evil)
        found = index(path)
        assert found.labels == [0, 1, 0], name
        assert found.damage is not None or found.left_out, name


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_shard_with_any_damage_is_indexed_within_its_bounds(data: st.DataObject, tmp_path_factory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    content = bytearray(
        write_tar(path, samples(range(4), data.draw(st.sampled_from(["cls", "json"])))).read_bytes()
    )
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    found = read_index(io.BytesIO(bytes(content[:cut])), cut)
    assert all(o >= 0 and o + s <= cut for o, s in zip(found.offsets, found.sizes, strict=True))
    ShardIndex.from_json(json.loads(json.dumps(found.to_json())))


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2}, {"offsets": [0]}, {"offsets": [-1, 5]}, {"sizes": [1 << 40, 1]}, {"sizes": "ab"},
        {"labels": [[], {}]}, {"labels": [True, 1]}, {"names": [1, 2]}, {"offsets": [2000, 512]}, {"size": 600},
        {"offsets": [1 << 70, 1]}, {"offsets": [512, (1 << 63) - 1]}, {"offsets": [[512], [2048]]},
        {"left_out": []}, {"checks": None},
    ],
)  # fmt: skip
def test_a_stored_index_that_is_none_is_refused(tmp_path: Path, change: dict) -> None:
    stored = index(write_tar(tmp_path / "x.tar", samples(range(2)))).to_json()
    ShardIndex.from_json(stored)
    with pytest.raises(ValueError):
        ShardIndex.from_json({**stored, **change})
