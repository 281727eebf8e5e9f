"""A sealed folder holds what was left there, byte for byte, or less."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.errors import ResiduaError
from residua.files import InUse
from residua.machine.sealed import SEAL, sealed


def fill(folder):
    with sealed(folder, 0) as damaged:
        assert damaged == []
        (folder / "a").mkdir(exist_ok=True)
        for name in ("a/one.so", "two.py"):
            (folder / name).write_bytes(name.encode() * 10)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_is_sealed_stays(tmp_path):
    fill(tmp_path / "s")
    with sealed(tmp_path / "s", 0) as damaged:
        assert damaged == [] and names(tmp_path / "s") == ["a/one.so", SEAL, "two.py"]


@settings(max_examples=25)  # each writes to the disk
@given(st.integers(0, 79), st.integers(1, 255), st.booleans())
def test_a_changed_byte_or_a_cut_removes_the_file(tmp_path_factory, place, flip, cut):
    folder = tmp_path_factory.mktemp("s")
    fill(folder)
    file = folder / "a/one.so"
    data = bytearray(file.read_bytes())
    data[place] ^= flip
    file.write_bytes(data[:place] if cut else data)
    with sealed(folder, 0) as damaged:
        assert damaged == ["a/one.so"] and names(folder) == [SEAL, "two.py"]


@pytest.mark.parametrize("seal", [None, "", "[1]", '{"two.py": 3}', "\x00"])
def test_without_a_sound_seal_nothing_stays(tmp_path, seal):
    fill(tmp_path / "s")
    (tmp_path / "s" / SEAL).unlink()
    if seal is not None:
        (tmp_path / "s" / SEAL).write_text(seal)
    with sealed(tmp_path / "s", 0):
        assert [name for name in names(tmp_path / "s") if name != SEAL] == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    fill(tmp_path / "s")
    with pytest.raises(KeyboardInterrupt), sealed(tmp_path / "s", 0):
        (tmp_path / "s" / "half.so").write_bytes(b"half")
        raise KeyboardInterrupt
    with sealed(tmp_path / "s", 0) as damaged:
        assert damaged == [] and "half.so" not in names(tmp_path / "s")


def test_one_at_a_time(tmp_path):
    with sealed(tmp_path / "s", 0), pytest.raises(InUse), sealed(tmp_path / "s", 0):
        pass


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResiduaError, match="cannot write"), sealed(tmp_path / "file" / "s", 0):
        pass
