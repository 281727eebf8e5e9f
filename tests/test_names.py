"""Names that somebody else chose: on a terminal, in a command to copy, as the path of a run."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from residua.errors import UsageError
from residua.names import check_name, command, shown

anything = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
undecodable = st.binary().map(lambda name: os.fsdecode(name.replace(b"\0", b"")))


@given(anything | undecodable | st.text())
def test_a_terminal_obeys_nothing_that_is_shown(text):
    escaped = shown(text)
    assert not any(
        character in "\x1b\x9b\x7f\n\r\u2028\u202e" or ord(character) < 32 for character in escaped
    )
    escaped.encode()  # which a lone surrogate would not let pass
    assert shown(escaped) == escaped


@given(st.dictionaries(anything | undecodable, anything))
def test_json_that_is_shown_is_the_same_json(value):
    assert json.loads(shown(json.dumps(value, ensure_ascii=False))) == value


def test_what_harms_nobody_is_shown_as_it_is():
    assert shown("Füße/猫 🐈 'a b'.png") == "Füße/猫 🐈 'a b'.png"
    assert shown(Path("a\x1b[31m\n\udcff")) == r"a\u001b[31m\n\udcff"


WORDS = [
    "",
    " ",
    "a b",
    "it's",
    'say "x"',
    "$HOME `id` $(id) !x",
    "~",
    "*",
    "a\\b",
    "\x1b[31m",
    "a\nb'\\",
    "猫",
    "\u202e",
    "\udcff",
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs a shell")
def test_a_shell_takes_a_command_back_to_the_same_words():
    """All at once, for a shell is slow to start; what is random would rarely have such words."""
    script = "\n".join(command("printf", r"%s\0", word, Path(word)) for word in WORDS)
    printed = subprocess.run(["bash"], input=os.fsencode(script), stdout=subprocess.PIPE, check=True).stdout
    words = [os.fsdecode(word) for word in printed.split(b"\0")[:-1]]
    assert words == [text for word in WORDS for text in (word, str(Path(word)))]


def test_a_path_is_no_flag():
    assert (
        command("residua", "train", "--resume", Path("--overwrite")) == "residua train --resume ./--overwrite"
    )
    assert command("residua", "train", "--resume", Path("a/-b")) == "residua train --resume a/-b"


@pytest.mark.skipif(os.name == "nt", reason="Windows has other limits")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("\udcff", r"--run-dir takes a name in UTF-8, not \udcff"),
        ("a\0b", r"--run-dir takes a name without zero bytes, not a\u0000b"),
        ("runs/" + "x" * 256, "256 bytes, a name at most 255"),
        ("猫" * 86, "258 bytes, a name at most 255"),
        ("/", "--run-dir takes the name of a folder, not /"),
        ("x/" * 3000, "a path of 5999 bytes is longer than the system takes"),
    ],
)
def test_a_path_that_nothing_can_have_is_refused(name, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        check_name(Path(name), "--run-dir")
    assert said in str(caught.value)


def test_a_path_that_can_be_had_is_not(tmp_path):
    for name in ("a", "a b/-c", "x" * 255, "not/yet/there", "\x1b"):
        check_name(tmp_path / name, "--run-dir")
