"""Names that want to command the terminal, or to look like another line: every verb prints them escaped."""

import json
import shlex

import numpy as np
import pytest
from PIL import Image

EVIL = "\x1b[31m\nresidua: \x9b2J\u202e"
CLASS, PHOTO, RUN = f"cat{EVIL}", f"photo{EVIL}.png", f"run{EVIL} it's"
QUICK = (
    "--model",
    "cifar_resnet8",
    "--epochs",
    "1",
    "--limit-batches",
    "1",
    "--threads",
    "1",
    "--set",
    "model.depths=[1,1,1]",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "images"
    random = np.random.default_rng(0)
    for label in (CLASS, "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(20):
            Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / label / f"{i}.png")
    Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / CLASS / PHOTO)
    (folder / CLASS / f"broken{EVIL}.png").write_bytes(b"no image")
    return folder


@pytest.fixture
def harmless(command):
    """A command of which nothing reaches the terminal but text, each line of it meant as one."""

    def run(*tokens, code=0):
        answer = command(*tokens)
        assert answer.code == code, answer
        for text in (answer.out, answer.err):
            assert not set(text) & set("\x1b\x9b\u202e"), text
            assert "\nresidua: \\u009b" not in text  # a name that looks like a line of its own
        return answer

    return run


def test_every_verb_prints_names_escaped(harmless, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = harmless("train", images, *QUICK, "--run-dir", RUN)
    assert "skipped" in answer.err and r"broken\u001b[31m\nresidua: \u009b2J\u202e.png: " in answer.err
    assert r"run folder     run\u001b[31m\nresidua: " in answer.out
    assert r"residua evaluate $'run\033[31m\012residua: \302\2332J\342\200\256 it\047s'" in answer.out
    photo = images / CLASS / PHOTO
    label = r"cat\u001b[31m\nresidua: \u009b2J\u202e"
    assert label in harmless("evaluate", RUN).out
    assert label in harmless("predict", RUN, photo).out
    assert r"broken\u001b" in harmless("predict", RUN, images / CLASS / f"broken{EVIL}.png", code=1).err
    assert harmless("predict", RUN, photo, "--json").json["predictions"][0]["image"] == str(photo)
    assert r"run\u001b" in harmless("runs", RUN).out
    assert harmless("runs", RUN, "--json").json["runs"][0]["path"] == RUN
    assert r"run\u001b" in harmless("report", RUN).out
    assert "\x1b" not in (tmp_path / RUN / "report.html").read_text(encoding="utf-8")
    assert r"out\u001b" in harmless("convert", RUN, f"out{EVIL}.safetensors", "--to", "residua").out
    assert r"run\u001b" in harmless("analyze", "paths", RUN).out
    assert "goes on" not in harmless("train", "--run-dir", RUN, code=2).err
    assert r"no\u001b" in harmless("evaluate", f"no{EVIL}.pth", code=2).err


def test_a_command_to_copy_quotes_the_path(command, unfinished):
    strange = unfinished.rename(unfinished.with_name("it's my  run"))
    said = command("train", "--run-dir", strange).refused(2)
    assert shlex.split(said.split(": ", 1)[1].split(" goes on")[0])[-1] == str(strange)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("\udcff", r"--run-dir takes a name in UTF-8, not \udcff"),
        ("x" * 300, "a name at most 255"),
        ("y/" * 2500, "longer than the system takes"),
    ],
)
def test_a_run_that_no_folder_can_be_made_for_is_refused_before_training(
    command, tmp_path, monkeypatch, name, said
):
    monkeypatch.chdir(tmp_path)
    answer = command("train", *QUICK, "--run-dir", name)
    assert said in answer.refused(2)
    assert "epoch" not in answer.err
    assert not list(tmp_path.iterdir())


TOO_LONG = [
    ("train", "--resume", "x" * 300),
    ("train", "x" * 300),
    ("evaluate", "x" * 300),
    ("predict", "x" * 300, "y.png"),
    ("report", "x" * 300),
    ("runs", "x" * 300),
    ("convert", "x" * 300 + ".pth", "y", "--to", "residua"),
]


@pytest.mark.parametrize("tokens", TOO_LONG, ids=lambda tokens: tokens[0])
def test_a_name_longer_than_the_system_takes_is_one_line(command, tmp_path, monkeypatch, tokens):
    monkeypatch.chdir(tmp_path)
    assert "longer than the system takes" in command(*tokens).refused(2)
    json.loads(command(*tokens, "--json").out)
