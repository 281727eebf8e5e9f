from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from residua.errors import ResiduaError, UsageError
from residua.experiments.cell import Cell, essentials, make_cell
from residua.experiments.experiment import Arm, Setting
from residua.experiments.measures import finite, training_measures
from residua.experiments.run_cell import run_cell
from residua.spec import ModelSpec, PartSpec
from residua.train.fitting import fit

ARM = Arm(name="a", model="cifar_resnet8")


def _cell(root: Path, *, arm: Arm = ARM, epochs: int = 1, seed: int = 0, **more: Any) -> Cell:
    trained = {"recipe": "digits", "changes": {"epochs": epochs}} if epochs else {}
    return make_cell(Setting(arms=(arm,), rules={}, **trained), arm, seed, root=root, source="digits", **more)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cell, dict[str, Any]]:
    cell = _cell(tmp_path_factory.mktemp("cells"), limit=3)
    return cell, run_cell(cell)


def test_a_folder_says_what_is_in_it(tmp_path: Path) -> None:
    folder = _cell(tmp_path, seed=3).folder
    assert folder.parent.parent == tmp_path
    assert folder.parent.name.startswith("digits-")
    assert folder.name.startswith("cifar_resnet8-")
    assert folder.name.endswith("-s3")
    assert "untrained" in _cell(tmp_path, epochs=0).folder.name


def test_everything_that_decides_the_numbers_decides_the_folder(tmp_path: Path) -> None:
    cells = [
        _cell(tmp_path),
        _cell(tmp_path, seed=1),
        _cell(tmp_path, epochs=2),
        _cell(tmp_path, epochs=0),
        _cell(tmp_path, limit=3),
        _cell(tmp_path, arm=Arm(name="a", model="cifar_plain8")),
        _cell(tmp_path, arm=Arm(name="a", model="cifar_resnet8", changes={"shortcut": "B"})),
        _cell(tmp_path, arm=Arm(name="a", model="cifar_resnet8", recipe={"lr": 0.05})),
        _cell(tmp_path, arm=Arm(name="a", model="cifar_resnet8", source="digits:fold=1")),
        _cell(tmp_path, arm=Arm(name="a", model="cifar_resnet8", source="digits:fold=2")),
    ]
    assert len({cell.folder for cell in cells}) == len(cells)


def test_what_does_not_shares_it(tmp_path: Path) -> None:
    plain = _cell(tmp_path)
    others = [
        _cell(tmp_path, arm=Arm(name="another name", model="cifar_resnet8")),
        _cell(tmp_path, arm=Arm(name="a", model="cifar_resnet8", changes={"shortcut": "A"})),  # the default
        _cell(tmp_path, look="cost"),
        dataclasses.replace(plain, device="cuda"),
    ]
    assert {cell.folder for cell in others} == {plain.folder}


@dataclass(frozen=True, kw_only=True)
class _Wheel(PartSpec):
    slot: ClassVar[str] = "wheel"
    kind: ClassVar[str] = "plain"
    spokes: int = 8
    size: float = 1.0


@dataclass(frozen=True, kw_only=True)
class _Car(ModelSpec):
    family: str = "car"
    wheel: _Wheel = _Wheel()
    spare: _Wheel | None = None

    @property
    def depth(self) -> int:
        return 1

    @property
    def usual_input(self) -> tuple[int, ...]:
        return (3, 8, 8)


@pytest.mark.parametrize(
    ("car", "told"),
    [
        (_Car(), {}),
        (_Car(wheel=_Wheel(spokes=8)), {}),
        (_Car(spare=_Wheel()), {"spare": "plain"}),
        (_Car(wheel=_Wheel(size=2, spokes=8)), {"wheel": {"kind": "plain", "size": 2.0}}),
    ],
)
def test_of_a_part_that_counts_which_differs_from_its_defaults(car: _Car, told: dict[str, Any]) -> None:
    """So a digest stays as it is where a later version gives a part one more option."""
    assert {key: value for key, value in essentials(car).items() if key != "family"} == told


def test_looks_with_other_options_stand_side_by_side(tmp_path: Path) -> None:
    one, two = (
        _cell(tmp_path, arm=dataclasses.replace(ARM, options={"units": n}), look="deepened") for n in (1, 2)
    )
    assert one.folder == two.folder
    assert one.measured != two.measured


def test_a_cell_gives_errors_in_percent_and_curves(trained: tuple[Cell, dict[str, Any]]) -> None:
    cell, found = trained
    result = json.loads((cell.folder / "result.json").read_text())
    assert found["test_error"] == pytest.approx(100 * (1 - result["test_accuracy"]))
    assert found["train_error"] == found["curve_train_error"][-1] == found["early_train_error"]
    assert found["curve_epoch"] == [1]
    assert "primary" not in found


def test_a_complete_cell_is_not_run_again(
    trained: tuple[Cell, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cell, found = trained
    monkeypatch.setattr("residua.experiments.run_cell._train", lambda cell: pytest.fail("trained again"))
    assert cell.complete
    assert run_cell(cell) == found


def test_a_look_is_added_to_a_training_that_stands(trained: tuple[Cell, dict[str, Any]]) -> None:
    cell = dataclasses.replace(trained[0], look="cost")
    assert cell.trained and not cell.complete
    assert run_cell(cell)["parameters"] > 70_000
    assert cell.complete


def test_result_and_metrics_alone_are_a_training_that_is_run(
    trained: tuple[Cell, dict[str, Any]], tmp_path: Path
) -> None:
    cell, found = trained
    copy = dataclasses.replace(cell, root=str(tmp_path))
    copy.folder.mkdir(parents=True)
    for name in ("result.json", "metrics.jsonl"):
        (copy.folder / name).write_bytes((cell.folder / name).read_bytes())
    assert copy.complete
    assert run_cell(copy) == found
    with pytest.raises(ResiduaError, match="has no weights to look at"):
        run_cell(dataclasses.replace(copy, look="responses"))


def test_the_early_error_is_the_mean_of_the_first_quarter(tmp_path: Path) -> None:
    accuracies = [0.1, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, None]
    lines = [
        {"event": "epoch", "epoch": i, "train_accuracy": a, "train_loss": 1.0}
        for i, a in enumerate(accuracies)
    ]
    (tmp_path / "metrics.jsonl").write_text(
        "\n".join(json.dumps(line) for line in [{"event": "step", "step": 1}, *lines])
    )
    (tmp_path / "result.json").write_text('{"test_accuracy": 0.75, "train_images": 10}')
    found = training_measures(tmp_path)
    assert found["early_train_error"] == pytest.approx(100 * (0.9 + 0.7) / 2)
    assert found["train_error"] is None
    assert found["test_error"] == 25


def test_damage_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / "metrics.jsonl").write_text('{"event": "epo')
    with pytest.raises(ResiduaError, match=r"cannot read .*metrics\.jsonl"):
        training_measures(tmp_path)


@pytest.mark.parametrize("whole", [True, False])
def test_another_grid_may_be_faster(whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a folder and the lock on it another process may have begun, or ended, the same run."""

    def late(*args: Any, **kwargs: Any) -> None:
        fit(*args, **kwargs)
        if not whole:
            (kwargs["run_dir"] / "result.json").unlink()
        raise UsageError("the folder holds a run")

    monkeypatch.setattr("residua.experiments.run_cell.fit", late)
    assert run_cell(_cell(tmp_path, limit=1))["epochs"] == 1


def test_a_run_that_ends_before_it_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = _cell(tmp_path, limit=1)
    run_cell(cell)
    result = (cell.folder / "result.json").read_text()
    (cell.folder / "result.json").unlink()

    def late(*args: Any, **kwargs: Any) -> None:
        (cell.folder / "result.json").write_text(result)
        raise UsageError("it is complete")

    monkeypatch.setattr("residua.experiments.run_cell.resume", late)
    assert run_cell(cell)["epochs"] == 1


def test_every_seed_takes_the_choices_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _cell(tmp_path, limit=1)
    run_cell(first)
    plan = json.loads((first.folder / "plan.json").read_text())
    asked: list[Any] = []

    def trains(*args: Any, **kwargs: Any) -> None:
        asked.append(kwargs.get("compile"))
        raise UsageError("it does not fit")

    monkeypatch.setattr("residua.experiments.run_cell.fit", trains)
    for changes in ({}, {"compile": "network"}, {"compile": "network", "processor": "another"}):
        (first.folder / "plan.json").write_text(json.dumps({**plan, **changes}))
        with pytest.raises(UsageError):
            run_cell(_cell(tmp_path, limit=1, seed=1))
    with pytest.raises(UsageError):
        run_cell(_cell(tmp_path, limit=2, seed=1))  # another cell
    assert asked == ["off", "on", None, None]


def test_what_cannot_be_trained_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise UsageError("it does not fit")

    monkeypatch.setattr("residua.experiments.run_cell.fit", refuse)
    with pytest.raises(UsageError, match="it does not fit"):
        run_cell(_cell(tmp_path, limit=1))


def test_what_is_not_finite_is_none() -> None:
    assert finite({"a": [1.0, math.inf], "b": {"c": math.nan}}) == {"a": [1.0, None], "b": {"c": None}}
