"""``residua data prepare`` as a command; what it writes is tested beside it."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path):
    for i in range(12):
        path = tmp_path / "photos" / "ab"[i % 2] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    (tmp_path / "photos/a/bad.jpg").write_bytes(b"bad")
    return tmp_path / "photos"


def test_it_says_what_it_made_and_what_to_do_next(command, photos, tmp_path):
    out = tmp_path / "small"
    tokens = ("data", "prepare", str(photos), "--out", str(out), "--size", "16", "--per-shard", "5")
    said = command(*tokens)
    assert said.code == 0 and "12 images in 3 shards" in said.out and "3 made now, 0 checked" in said.out
    assert "left out a/bad.jpg: " in said.out and f"next: residua train {out}" in said.out
    held = command(*tokens, "--json").json
    assert (held["images"], held["shards"], held["made"], held["path"]) == (12, 3, 0, str(out))
    assert [item["path"] for item in held["left_out"]] == ["a/bad.jpg"]
    assert command("data", "look", str(out), "--out", str(tmp_path / "look.html")).code == 0


def test_what_cannot_be_prepared_is_one_line(command, photos, tmp_path):
    out = str(tmp_path / "small")
    assert "--out" in command("data", "prepare", str(photos)).refused(2)
    assert "no such file" in command("data", "prepare", str(tmp_path / "none"), "--out", out).refused(2)
    assert "ready to be trained on" in command("data", "prepare", "digits", "--out", out).refused(2)
    assert "quality 1 to 100" in command(
        "data", "prepare", str(photos), "--out", out, "--quality", "0"
    ).refused(2)
    (tmp_path / "file").touch()
    assert "file" in command("data", "prepare", str(photos), "--out", str(tmp_path / "file")).refused(1)
    assert "bad.jpg" in command("data", "prepare", str(photos), "--out", out, "--strict").refused(1)
