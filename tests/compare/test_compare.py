"""Two networks against each other: what is compared, at which cost, and what is said of it."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from residua.compare import compare, matching
from residua.compare.contender import contenders
from residua.compare.question import ask
from residua.compare.tables import as_latex
from residua.errors import ResiduaError, UsageError
from residua.experiments import reproduce as runner
from residua.experiments.attempt import CellResult, attempt
from residua.experiments.catalogue import experiments
from residua.registry import model_spec
from residua.train import recipe
from residua.user_files import UserFile, digests

BLOCK = """
from dataclasses import dataclass
from typing import ClassVar
from torch import nn
from residua.models.units.basic import BasicUnit
from residua.parts import register

print("this is for stderr")

@register
@dataclass(frozen=True, kw_only=True)
class Smooth(BasicUnit):
    kind: ClassVar[str] = "NAME"
    window: int = 3

    def build(self, place, order, *, preactivated=False):
        branch = super().build(place, order, preactivated=preactivated)
        return nn.Sequential(branch, nn.AvgPool2d(self.window, 1, self.window // 2))
"""
SPECS = """
from residua.registry import model_spec
mine = model_spec("cifar_resnet8", shortcut="B")
other = model_spec("cifar_resnet8", order="full_preact")
"""


def kind(who, name):
    return getattr(who.spec, name).kind


class Here:
    """An executor of this process; ``run`` is what it does with a cell."""

    def __init__(self, run=attempt):
        self.run = run

    def submit(self, cell, files):
        future: Future[CellResult] = Future()
        future.set_result(self.run(cell, files))
        return future

    def close(self):
        pass


@pytest.fixture
def here(monkeypatch, tmp_path):
    """Trainings in this process, the working directory an empty one."""
    monkeypatch.setattr(runner, "_executor", lambda ray, jobs: Here())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def figures(here, monkeypatch):
    """Trainings that take no time: the test error of a seed is what this table's function of it says."""
    table = {"cifar_resnet8": lambda seed: 5.0 + seed % 3, "cifar_resnet14": lambda seed: 5.0 + seed % 3}

    def pretend(cell, files):
        error = table[cell.model["name"]](cell.seed)
        return CellResult(measures={"test_error": error, "test_images": 360, "seconds": 1.0})

    monkeypatch.setattr(runner, "_executor", lambda ray, jobs: Here(pretend))
    return table


@pytest.fixture
def block(tmp_path) -> Path:
    path = tmp_path / "my_block.py"
    path.write_text(BLOCK.replace("NAME", f"smooth_{abs(hash(tmp_path.name))}"))
    return path


def test_the_better_one_is_named_with_its_interval_and_e_value(figures):
    figures["cifar_resnet14"] = lambda seed: 2.7 + seed % 3 + 0.1 * (seed % 2)
    result = compare("cifar_resnet8", "cifar_resnet14")
    assert result["better"] == "cifar_resnet14"
    paired = result["paired"]
    assert paired["pairs"] == 3, "decided at once: no more seeds"
    assert paired["difference"] == pytest.approx(-2.2667, rel=1e-4)
    assert paired["low"] < paired["difference"] < paired["high"] < 0
    assert paired["e_b_better"] >= paired["decides"] == 40
    assert result["sentence"].startswith(
        "cifar_resnet14 is better: test error 3.733 % against 6 % of cifar_resnet8,"
    )
    assert "a difference of 2.27 ± 0.058 in 3 pairs of seeds" in result["sentence"]


def test_no_difference_of_a_point_is_an_answer(figures):
    figures["cifar_resnet14"] = lambda seed: 5.0 + seed % 3 + (0.3, -0.3, 0.0, 0.2, -0.2)[seed % 5]
    result = compare("cifar_resnet8", "cifar_resnet14")
    assert (result["better"], result["alike"]) == (None, True)
    assert result["paired"]["pairs"] < 20
    assert result["paired"]["trail"]["alike"][-1] >= 40
    assert result["sentence"].startswith("No difference of a point: test error ")
    wide = compare("cifar_resnet8", "cifar_resnet14", smallest=0.05, max_seeds=6, out=Path("finer"))
    assert not wide["alike"], "the same seeds leave open whether they differ by a twentieth of a point"


def test_the_other_one_may_be_better(figures):
    figures["cifar_resnet14"] = lambda seed: 9.0 + seed % 2
    assert compare("cifar_resnet8", "cifar_resnet14")["better"] == "cifar_resnet8"


def test_noise_is_undecided_after_every_seed(figures):
    figures["cifar_resnet14"] = lambda seed: 5.0 + (seed * 5) % 7
    result = compare("cifar_resnet8", "cifar_resnet14", max_seeds=6)
    assert result["better"] is None
    assert result["paired"]["pairs"] == result["seeds"] == 6
    assert result["sentence"].startswith("Undecided between cifar_resnet8 and cifar_resnet14")


def test_fewer_than_three_pairs_decide_nothing_however_clear(figures):
    figures["cifar_resnet14"] = lambda seed: 0.1 * seed
    result = compare("cifar_resnet8", "cifar_resnet14", seeds=2, max_seeds=2)
    assert result["better"] is None
    assert "Fewer than 3 pairs decide nothing." in result["sentence"]


@pytest.mark.parametrize(("model", "worse"), [("transformer_tiny", 2.0), ("detector_tiny", 0.1)])
def test_less_is_better_or_more_as_the_task_has_it(model, worse, monkeypatch):
    """Bits per byte fall, average precision rises."""
    from residua.compare.comparison import _rule

    other = model_spec(model).change(merge="branch_only")
    monkeypatch.setattr("residua.compare.question.contenders", lambda a, b: _pair(model_spec(model), other))
    monkeypatch.setattr("residua.compare.question.load", lambda spec: Pretended())
    question = ask("a", "b", match="none", data=None, recipe="quick", epochs=None, metric=None)
    evidence = {
        "a": {seed: {question.metric: 1.0 + 0.01 * seed} for seed in range(4)},
        "b": {seed: {question.metric: worse} for seed in range(4)},
    }
    assert _rule(question, None).check(evidence).status == "not reproduced", "b is worse"


def test_networks_on_numbers_are_compared_by_what_regression_is_judged_by(tmp_path):
    for name in ("a", "b", "c", "d", "e", "f", "g", "h"):
        Image.new("L", (8, 8), 16 * ord(name) % 255).save(tmp_path / f"{name}.png")
    rows = "".join(f"{name}.png,{ord(name)}\n" for name in "abcdefgh")
    (tmp_path / "labels.csv").write_text(f"file,brightness\n{rows}")
    source = f"csv:{tmp_path / 'labels.csv'}"
    question = ask(
        "cifar_resnet8",
        "cifar_plain8",
        match="none",
        data=source,
        recipe="quick",
        epochs=None,
        metric=None,
    )
    assert (question.metric, question.lower) == ("test_rmse", True)


class Pretended:
    """Data that nothing is trained on."""

    kind = "text"

    def about(self):
        return {}

    def model_changes(self):
        return {}


def _pair(a, b):
    from residua.compare.contender import Contender

    return Contender(label="a", spec=a), Contender(label="b", spec=b)


def test_trained_for_real_it_leaves_its_evidence_and_goes_on(here, monkeypatch):
    options = {"epochs": 1, "seeds": 1, "out": Path("out")}
    first = compare("cifar_resnet8", "cifar_plain8", max_seeds=1, **options)
    assert {"result.json", "table.csv", "table.tex", "README.md", "comparison.json"} <= {
        path.name for path in Path("out").iterdir()
    }
    stored = json.loads(Path("out/result.json").read_text())
    assert stored["sentence"] == first["sentence"]
    assert [row["parameters"] for row in stored["table"]] == [75_002, 75_002]
    for values in (seeds["0"] for seeds in stored["evidence"].values()):
        assert len(values["curve_test_error"]) == len(values["curve_train_error"]) == 1
    assert first["sentence"] in Path("out/README.md").read_text()

    trained = []
    run = lambda cell, files: trained.append(cell.seed) or attempt(cell, files)  # noqa: E731
    monkeypatch.setattr(runner, "_executor", lambda ray, jobs: Here(run))
    second = compare("cifar_resnet8", "cifar_plain8", max_seeds=2, **options)
    assert trained == [1, 1], "seed 0 stands already"
    assert second["evidence"]["cifar_resnet8"]["0"] == first["evidence"]["cifar_resnet8"]["0"]


def test_a_users_unit_is_the_other_network_with_it(here, block, capsys):
    name = block.read_text().split('str] = "')[1].split('"')[0]
    result = compare("cifar_resnet8", str(block), epochs=1, seeds=1, max_seeds=1, out=Path("out"))
    assert result["b"] == f"cifar_resnet8-{name}"
    spec = result["specs"][result["b"]]
    assert spec["unit"] == {"kind": name, "dropout": 0.0, "window": 3}
    asked = json.loads(Path("out/comparison.json").read_text())["question"]
    assert asked["files"] == digests([UserFile.read(block)]), (
        "another version of the file is another question"
    )
    assert Path("out/my_block.py").read_text() == block.read_text()
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "this is for stderr\n")
    plain, mine = (result["evidence"][label]["0"]["test_loss"] for label in (result["a"], result["b"]))
    assert plain != mine


def test_specs_come_from_python_toml_and_json(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("two.py").write_text(SPECS)
    Path("named.toml").write_text('[model]\nname = "cifar_resnet8"\nshortcut = "B"\n')
    Path("full.json").write_text(json.dumps(model_spec("cifar_resnet8", merge="branch_only").to_dict()))
    mine, other = contenders("two.py:mine", "two.py:other")
    assert (mine.label, kind(mine, "shortcut"), kind(other, "order")) == ("mine", "B", "full_preact")
    named, full = contenders("named.toml", "full.json")
    assert (kind(named, "shortcut"), kind(full, "merge")) == ("B", "branch_only")
    assert (named.label, full.label) == ("cifar_resnet8", "cifar_resnet8-b")


REFUSED = [
    ("cifar_resnet8", "cifar_resnet8", "the same network"),
    ("cifar_resnet8", "cifar_resne14", "unknown model 'cifar_resne14'; did you mean"),
    ("cifar_resnet8", "gone.py:net", "cannot read gone.py: No such file"),
    ("cifar_resnet8", "gone.toml", "there is no file gone.toml"),
    ("cifar_resnet8", "empty.py:cifar_resnet14", "empty.py registers no unit and no network"),
    ("cifar_resnet8", "two.py", "two.py has mine, other: say which, as in two.py:mine"),
    ("cifar_resnet8", "two.py:mien", "two.py has no 'mien'; did you mean 'mine'"),
    ("cifar_resnet8", "broken.py:net", "broken.py, line 2: NameError: name 'y' is not defined"),
    ("cifar_resnet8", "syntax.py:net", "syntax.py, line 1: SyntaxError"),
    ("cifar_resnet8", "leaving.py:net", "leaving.py, line 1: SystemExit: 3"),
    ("cifar_resnet8", "list.json", "must name its 'family'"),
    ("cifar_resnet8", "typo.json", "has no key 'depht'; did you mean 'depths'"),
    ("cifar_resnet8", "damaged.json", "not valid JSON"),
    ("transformer_tiny", "block.py", "is a unit, and transformer_tiny has none to replace"),
    ("block.py", "block.py", "are both units"),
]
FILES = {
    "empty.py": "x = 1\n",
    "two.py": SPECS,
    "broken.py": "x = 1\nx = y\n",
    "syntax.py": "x = (\n",
    "leaving.py": "raise SystemExit(3)\n",
    "list.json": "[1]",
    "typo.json": '{"family": "resnet", "depht": 3}',
    "damaged.json": "{",
    "block.py": BLOCK.replace("NAME", "smooth_of_the_refused"),
}


@pytest.mark.parametrize(("a", "b", "said"), REFUSED)
def test_what_cannot_be_compared_is_one_line(a, b, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        Path(name).write_text(text)
    with pytest.raises(ResiduaError) as caught:
        contenders(a, b)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_spec_does_not_know_what_the_other_ones_file_registers(tmp_path, monkeypatch):
    """Else a comparison of the spec alone, in another process, would be refused."""
    monkeypatch.chdir(tmp_path)
    Path("block.py").write_text(BLOCK.replace("NAME", "smooth_of_the_file"))
    Path("spec.toml").write_text('name = "cifar_resnet8"\nunit = "smooth_of_the_file"\n')
    with pytest.raises(UsageError, match="unknown unit 'smooth_of_the_file'"):
        contenders("spec.toml", "block.py:cifar_resnet8")


@pytest.mark.parametrize("by", ["params", "macs"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("cifar_resnet20", "cifar_resnet8"),
        ("cifar_resnet8", "cifar_preact_resnet20"),
        ("vit_digits", "wrn_10_1"),
    ],
)
def test_counted_costs_are_matched_by_width(a, b, by):
    digits = _digits()
    one, other = _specs(a, b)
    spec, matched = matching.match_cost(one, other, by, digits, recipe("digits"), "cpu")
    name = "parameters" if by == "params" else "multiply_adds"
    counts = [matching.cost_of(s, digits)[name] for s in (one, spec)]
    assert matched.what == "width"
    assert matched.ratio == pytest.approx(counts[1] / counts[0])
    assert abs(matched.ratio - 1) <= 0.05
    assert spec == other.change(**matched.changes)


def test_depth_stands_in_where_there_is_no_width(monkeypatch):
    monkeypatch.setattr(matching, "_WIDTHS", ())
    digits = _digits()
    one, other = _specs("cifar_resnet26", "cifar_resnet8")
    spec, matched = matching.match_cost(one, other, "macs", digits, recipe("digits"), "cpu")
    assert (matched.what, matched.changes) == ("depth", {"depths": [4, 4, 4]})
    assert spec.to_dict()["depths"] == one.to_dict()["depths"]


def test_equal_costs_are_left_as_they_are():
    digits = _digits()
    one, other = _specs("cifar_resnet8", "cifar_plain8")
    spec, matched = matching.match_cost(one, other, "params", digits, recipe("digits"), "cpu")
    assert (spec, matched.what, matched.ratio) == (other, "nothing", 1.0)


def test_what_cannot_be_matched_says_how_near_it_came():
    digits = _digits()
    one, other = _specs("cifar_resnet8", "googlenet_tiny")
    with pytest.raises(
        ResiduaError, match=r"googlenet_tiny cannot be matched .* the nearest has [0-9.]+ times its param"
    ):
        matching.match_cost(one, other, "params", digits, recipe("digits"), "cpu")


def test_a_width_stays_a_multiple_of_the_heads():
    spec: Any = model_spec("vit_digits")
    for factor in (0.3, 1.37, 2.9):
        changed: Any = matching.scaled(spec, ["width"], factor)
        assert changed.width % changed.heads == 0


def test_time_is_corrected_until_the_steps_take_as_long(monkeypatch):
    """Here a step takes as long as its channels to the power of 1.5, and not as its multiply-adds."""
    monkeypatch.setattr(matching, "step_ratio", lambda a, b, *rest: (b.widths[0] / a.widths[0]) ** 1.5 * 3)
    digits = _digits()
    one, other = _specs("cifar_resnet20", "cifar_resnet8")
    spec, matched = matching.match_cost(one, other, "time", digits, recipe("digits"), "cpu")
    assert abs(matched.ratio - 1) <= 0.1
    assert spec.to_dict()["widths"][0] == pytest.approx(16 * 3 ** (-1 / 1.5), abs=1)


def test_a_wider_network_takes_longer():
    digits = _digits()
    one, _ = _specs("cifar_resnet8", "cifar_resnet14")
    wide = one.change(widths=[64, 128, 256])
    assert matching.step_ratio(one, wide, digits, recipe("digits"), "cpu") > 1.5


def test_another_question_is_not_answered_in_the_same_folder(figures):
    compare("cifar_resnet8", "cifar_resnet14", out=Path("out"), epochs=1)
    with pytest.raises(UsageError, match=r"out holds another comparison \(recipe\): --overwrite replaces it"):
        compare("cifar_resnet8", "cifar_resnet14", out=Path("out"), epochs=2)
    result = compare("cifar_resnet8", "cifar_resnet14", out=Path("out"), epochs=2, overwrite=True)
    assert result["recipe"]["epochs"] == 2


def test_what_an_earlier_version_asked_is_the_same_question(figures):
    """Schema 1 knew no files, and wrote its specs in another way."""
    first = compare("cifar_resnet8", "cifar_resnet14", out=Path("out"))
    path = Path("out/comparison.json")
    stored = json.loads(path.read_text())
    del stored["question"]["files"]
    spec = {"schema": 1, "family": "resnet", "name": "cifar_resnet8", "num_classes": 10, "in_channels": 3}
    spec |= {"unit": "basic", "widths": [16, 32, 64], "stem": "cifar", "stem_width": None, "shortcut": "A"}
    spec |= {"merge": "add", "shortcut_scale": 0.5, "gate_bias": -6.0, "expansion": 4, "dropout": 0.0}
    spec |= {"order": "original", "drop_path": 0.0, "drop_path_rule": "linear", "drop_path_mode": "sample"}
    recipe = {"schema": 1, "name": "digits", "epochs": 40, "batch_size": 64, "optimizer": "sgd", "lr": 0.1}
    recipe |= {"momentum": 0.9, "beta2": 0.999, "nesterov": True, "weight_decay": 5e-4, "milestones": []}
    recipe |= {"schedule": "linear", "gamma": 0.1, "warmup": 0.15, "label_smoothing": 0.0, "pad": None}
    question = stored["question"]
    question["recipe"] = {**recipe, "epochs": question["recipe"]["epochs"]}
    for key, depth in (("a", 1), ("b", 2)):
        kept = {name: question[key][name] for name in ("name", "num_classes", "in_channels")}
        question[key] = {**spec, **kept, "depths": [depth] * 3}
    path.write_text(json.dumps(stored))
    assert compare("cifar_resnet8", "cifar_resnet14", out=Path("out"))["sentence"] == first["sentence"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_folder_is_never_written_into(overwrite, figures):
    Path("thesis").mkdir()
    Path("thesis/README.md").write_text("years of work")
    with pytest.raises(UsageError, match="thesis exists and holds no comparison"):
        compare("cifar_resnet8", "cifar_resnet14", out=Path("thesis"), overwrite=overwrite)
    assert [path.name for path in Path("thesis").iterdir()] == ["README.md"]


def test_numbers_that_make_no_sense_leave_no_folder(figures):
    with pytest.raises(UsageError, match="seeds are from 1 to max_seeds"):
        compare("cifar_resnet8", "cifar_resnet14", seeds=21, out=Path("out"))
    with pytest.raises(UsageError, match=r"unknown metric 'test_eror'.*did you mean 'test_error'"):
        compare("cifar_resnet8", "cifar_resnet14", metric="test_eror", out=Path("out"))
    assert not Path("out").exists()


def test_a_damaged_folder_is_named(figures):
    Path("out").mkdir()
    Path("out/comparison.json").write_text("[]")
    with pytest.raises(ResiduaError, match=r"comparison.json is damaged"):
        compare("cifar_resnet8", "cifar_resnet14", out=Path("out"))


def test_latex_is_escaped_and_ruled():
    row = {
        "network": "a_b&c",
        "parameters": 1234,
        "multiply_adds": 5,
        "test_error": {"mean": 1.5, "sd": 0.25, "n": 4},
    }
    text = as_latex([row], ["test_error"])
    assert r"a\_b\&c & 1,234 & 5 & $1.5 \pm 0.25$ & 4 \\" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")


def test_every_experiment_of_the_catalogue_is_somebodys_claim():
    assert all(item.claims for item in experiments().values())


def _specs(*names: str) -> list[Any]:
    return [model_spec(name, **_digits().model_changes()) for name in names]


def _digits():
    from residua.experiments.cell import load
    from residua.spec import DataSpec

    return load(DataSpec(source="digits", val_fraction=0.0))
