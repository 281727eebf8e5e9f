"""What version 0.1 wrote, as it wrote it: every file loads, gives the figures that 0.1 gave, and goes on.

``schema1/make.py`` made the files and the figures, by the code of 0.1. Bits differ between machines: figures are
compared to rounding, and of trainings that go on to what that makes of a few steps.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch

from residua.errors import ResiduaError
from residua.evaluation import evaluate, inspect_again, measure
from residua.loading import load_model
from residua.report import read_run, render_report
from residua.train import RunFolder, resume

HERE = Path(__file__).parent / "schema1"
FIGURES, RELEASE = (json.loads((HERE / name).read_text()) for name in ("figures.json", "release.json"))
EVALUATED, ENDS = (FIGURES[key] | RELEASE[key] for key in ("evaluated", "ends"))
RUNS = sorted(name for name in EVALUATED if not name.startswith("weights/"))
TEXT = f"text:{HERE / 'text'}"  # those of 0.1 lay elsewhere
TAKES_LONG = ("detector", "segmenter", "resnet3d")  # to make their data
ROUNDING = {"rel": 1e-5, "abs": 1e-6}
TRAINED = {"rel": 2e-3, "abs": 2 / 128}  # two of the 128 answers differ at most


def differing(found, expected, tolerance):
    """The names of the expected figures that are not found."""
    near = {
        name: pytest.approx(value, **tolerance) for name, value in expected.items() if type(value) is not str
    }
    return [name for name, value in (expected | near).items() if found[name] != value]


def data_of(name):
    """Where the data of a run or a weight file lie now, if that is elsewhere."""
    return TEXT if name in ("runs/language", "weights/transformer.safetensors") else EVALUATED[name]["data"]


def evaluated(name, where=HERE):
    """What ``residua evaluate --json`` says now that was said then."""
    asked, expected = EVALUATED[name], EVALUATED[name]["found"]
    measure_it = measure if "figures" in expected else evaluate
    found = measure_it(where / name, data_of(name), limit=asked["limit"], batch_size=asked["batch"]).to_dict()
    return found | found.get("figures", {})


@pytest.fixture
def copy(tmp_path):
    """A run that may be written to, by its name."""
    return lambda name: shutil.copytree(HERE / name, tmp_path / name)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (Path(n).stem in TAKES_LONG)) for n in EVALUATED]
)
def test_it_is_worth_what_0_1_measured(name):
    expected = EVALUATED[name]["found"]
    expected = {
        key: value for key, value in (expected | expected.get("figures", {})).items() if key != "figures"
    }
    assert differing(evaluated(name), expected, ROUNDING) == []


@pytest.mark.parametrize("family", FIGURES["outputs"])
def test_a_weight_file_gives_the_outputs_that_it_gave(family):
    shape, expected = FIGURES["outputs"][family].values()
    tokens = torch.arange(torch.Size(shape).numel()).reshape(1, *shape) % 7
    with torch.no_grad():
        given = load_model(HERE / f"weights/{family}.safetensors")(
            tokens if family == "transformer" else (tokens - 3) / 3
        )
    assert torch.cat([part.flatten() for part in flat(given)])[:12].tolist() == pytest.approx(
        expected, **ROUNDING
    )


def flat(given):
    return [given] if isinstance(given, torch.Tensor) else [tensor for part in given for tensor in flat(part)]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_as_it_would_have(name, copy):
    """The complete ones for an epoch more, the interrupted one to its end: dropout and drop path draw as they did."""
    run = copy(name)
    found = resume(
        run,
        epochs=None if name == "runs/interrupted" else 3,
        data=data_of(name),
        allow_inexact=True,
        progress=False,
    )
    assert differing(found.result, ENDS[Path(name).name], TRAINED) == []
    assert resume(run, progress=False).result == found.result  # complete, also for the code of today
    read_run(run)


def test_a_recipe_that_recomputes_is_a_plan_of_little_memory_and_goes_on(copy):
    name = "runs/interrupted"
    run = copy(name)
    recipe = json.loads((run / "recipe.json").read_text())
    (run / "recipe.json").write_text(json.dumps(recipe | {"recompute": True}))
    assert RunFolder(run).plan.memory == "low"
    assert RunFolder(run).recipe == RunFolder(HERE / name).recipe
    found = resume(run, data=data_of(name), allow_inexact=True, progress=False)
    assert differing(found.result, ENDS[Path(name).name], TRAINED) == []


@pytest.mark.parametrize("name", RUNS)
def test_a_run_goes_on_where_it_was_made_only(name, copy):
    run = copy(name)
    plan = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps(plan | {"processor": "abacus"}))
    with pytest.raises(ResiduaError, match="this run was made with processor 'abacus', here it is"):
        resume(run, epochs=3, progress=False)


def test_its_page_shows_what_it_did(copy):
    run = copy("runs/plain")
    before = (run / "inspection.json").read_bytes()
    (said,) = inspect_again(run)  # it judges the run, which 0.1 did not
    assert "does not say what became of the training" in said
    page = render_report([run]).read_text()
    assert all(text in page for text in ("cifar_plain20", "branch_only", "9.7"))
    (run / "inspection.json").unlink()
    assert inspect_again(run) == []
    again = json.loads((run / "inspection.json").read_text())
    assert again["nll"] == pytest.approx(json.loads(before)["nll"], **ROUNDING)


@pytest.mark.parametrize("name", ["release", "runs/interrupted", "runs/language"])
def test_an_older_an_unfinished_and_another_tasks_run_have_a_page(name, copy):
    assert render_report([copy(name)]).stat().st_size > 10_000


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("spec.json", {"shortcutt": "A"}, "spec.json is damaged: .*has no key 'shortcutt'"),
        ("spec.json", {"depths": "1"}, "spec.json is damaged: .*depths must be a list"),
        ("spec.json", {"family": "gone"}, "spec.json is damaged: .*family 'gone'"),
        ("spec.json", {"schema": 99}, "spec.json is damaged: .*schema 99"),
        ("recipe.json", {"lr": "0.1"}, "recipe.json is damaged: .*lr must be a number"),
        ("recipe.json", {"epochs": 0}, "recipe.json is damaged: .*epochs must be above 0"),
        ("plan.json", {"threads": 10**9}, "plan.json is damaged: --threads must be from 1"),
        ("data.json", {"storage": 3}, "data.json is damaged: '?storage"),
        ("env.json", {"seed": None}, "env.json is damaged: '?seed"),
    ],
)
def test_damage_is_refused_as_0_1_refused_it(copy, file, damage, said):
    run = copy("runs/interrupted")
    (run / file).write_text(json.dumps(json.loads((run / file).read_text()) | damage))
    with pytest.raises(ResiduaError, match=said):
        resume(run, allow_inexact=True, progress=False)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            "model.safetensors",
            r"model\.safetensors is damaged: .*digest.*; intact and usable by name: .*last",
        ),
        (
            "checkpoints/last.safetensors",
            r"last\.safetensors is damaged: .*digest.*; intact .*model\.safetensors",
        ),
    ],
)
def test_a_flipped_bit_is_refused_as_0_1_refused_it(copy, file, said):
    run = copy("runs/plain")
    content = bytearray((run / file).read_bytes())
    content[-100] ^= 1
    (run / file).write_bytes(content)
    with pytest.raises(ResiduaError, match=said):
        load_model(run) if file.startswith("model") else resume(
            run, epochs=3, allow_inexact=True, progress=False
        )


def test_specs_of_the_release_have_the_fields_of_today():
    run = RunFolder(HERE / "release")
    assert run.spec.to_dict()["schema"] == run.recipe.to_dict()["schema"] == run.plan.to_dict()["schema"] == 2
