import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from residua.cli.analyze import FILES
from residua.parts import parts

KINDS = sorted(kind for kind, look in parts("look").items() if look.offered)

# options that make a kind quick on a tiny network
QUICK = {
    "euler": ["--set", "finest=2"],
    "landscape": ["--set", "points=5"],
    "lesion": ["--set", "draws=1"],
    "paths": ["--set", "draws=4"],
    "lesions": ["--set", "draws=1"],
    "singular_values": ["--set", "most=1024"],
    "skipping": ["--set", "rounds=1"],
    "variance": ["--set", "draws=1"],
}

WITHOUT_A_FIGURE = ("branch_weights", "deepened", "skipping", "training_step")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "training"])  # which needs a run
def test_every_kind_leaves_a_table_a_figure_and_a_sentence(command, tmp_path, kind):
    answer = command(
        "analyze", kind, "cifar_resnet8", "digits", "--images", 4, "--json", *QUICK.get(kind, [])
    )
    assert answer.code == 0, answer
    found = answer.json
    assert (found["schema"], found["kind"], found["network"]) == (1, kind, "cifar_resnet8")
    assert found["rows"]
    assert all(len(row) == len(found["columns"]) for row in found["rows"])
    assert found["sentence"].endswith(".")
    folder = tmp_path / "analysis" / f"{kind}-cifar_resnet8"
    files = FILES[:2] if kind in WITHOUT_A_FIGURE else FILES
    assert [*found["files"]] == [str(folder.relative_to(tmp_path) / name) for name in files]
    assert {path.name for path in folder.iterdir()} == set(files)
    assert json.loads((folder / "finding.json").read_text()) == found
    table = list(csv.reader((folder / "table.csv").open(newline="")))
    assert table[0] == ["network", *found["columns"]]
    assert len(table) == len(found["rows"]) + 1
    if kind not in WITHOUT_A_FIGURE:
        assert Image.open(folder / "figure.png").size[0] > 300
        assert "<svg" in (folder / "figure.svg").read_text()


def test_the_product_of_jacobians_is_exact_and_the_naive_one_is_not(command):
    found = command("analyze", "jacobian", "cifar_resnet20", "digits", "--images", 2, "--json").json
    assert found["precision"] == "float64"
    assert found["relative_error"] < 1e-10
    assert found["naive_error"] > 1e-3


def test_the_telescoped_sum_is_exact_on_a_preactivation_net(command):
    found = command("analyze", "unroll", "cifar_preact_resnet20", "digits", "--images", 2, "--json").json
    assert found["relative_error"] < 1e-12


def test_people_get_a_sentence_and_a_rounded_table(command):
    answer = command("analyze", "response", "cifar_resnet8", "digits", "--images", 4)
    assert answer.code == 0
    assert "Layer responses: cifar_resnet8 on digits, 4 images" in answer.out
    assert "stages.2.0.branch.conv2" in answer.out
    assert max(len(word) for word in answer.out.split() if word.replace(".", "").isdigit()) < 8
    assert "note: cifar_resnet8: freshly initialised, seed 0" in answer.err


def test_several_networks_in_one_figure(command):
    answer = command(
        *("analyze", "response", "cifar_resnet8", "digits", "--against", "cifar_plain8", "cifar_resnet14"),
        *("--images", 4, "--json", "--out", "mine"),
    )
    found = answer.json
    assert [one["network"] for one in found["against"]] == ["cifar_plain8", "cifar_resnet14"]
    table = list(csv.reader(open("mine/table.csv", newline="")))  # noqa: SIM115, PTH123
    assert {row[0] for row in table[1:]} == {"cifar_resnet8", "cifar_plain8", "cifar_resnet14"}


def test_nothing_is_overwritten_unasked(command):
    folder = Path("analysis") / "response-cifar_resnet8"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    (folder / "finding.json").write_text("old")
    quick = ("analyze", "response", "cifar_resnet8", "--images", 2)
    assert "--overwrite replaces it" in command(*quick).refused(2)
    assert (folder / "finding.json").read_text() == "old"
    assert command(*quick, "--overwrite").code == 0
    assert json.loads((folder / "finding.json").read_text())["kind"] == "response"
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_run_and_an_image_file(command, run):
    answer = command("analyze", "response", run, "--images", 2, "--json")
    assert (answer.json["network"], answer.json["data"]) == ("first", "digits")
    Image.new("L", (20, 30), 200).save("a.png")
    found = command("analyze", "explain", run, "a.png", "--json", "--out", "x").json
    assert (found["images"], found["rows"][0][1]) == (1, None)


def test_help_lists_every_kind(command):
    page = command("analyze", "--help").out
    assert all(f"{name}:" in page for name in KINDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["respons", "cifar_resnet8"], "did you mean 'response'"),
        (["response", "cifar_resnt20"], "did you mean 'cifar_resnet20'"),
        (["response", "cifar_resnet8", "nowhere"], "no such file or folder"),
        (["response", "cifar_resnet8", "--set", "x"], "--set takes KEY=VALUE"),
        (["response", "cifar_resnet8", "--set", "data.x=1"], "--set takes KEY=VALUE"),
        (["response", "cifar_resnet8", "--set", "x=1"], "has no key 'x'"),
        (["euler", "cifar_resnet8", "--set", "finst=1"], "did you mean 'finest'"),
        (["euler", "cifar_plain8", "--images", "2"], "no unit can be refined"),
        (["landscape", "cifar_resnet8", "--set", "points=4"], "points must be odd"),
        (["response", "cifar_resnet8", "--images", "0"], "images must be at least 1"),
    ],
)
def test_wrong_usage_is_one_line(command, arguments, message):
    assert message in command("analyze", *arguments).refused(2)


def test_a_folder_that_cannot_be(command, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in command("analyze", "response", "cifar_resnet8", "--out", "file").refused(2)
    assert "cannot make" in command(
        "analyze", "response", "cifar_resnet8", "--images", 2, "--out", "file/in"
    ).refused(1)
