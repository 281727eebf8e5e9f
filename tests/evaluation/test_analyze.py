"""What stands around a kind: sources, data, options. The kinds themselves are tested in tests/analysis."""

import copy
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from residua.analysis.finding import Finding
from residua.errors import ResiduaError, UsageError
from residua.evaluation.analyze import analyze
from residua.looks import Look, Subject
from residua.parts import parts
from residua.train import fit

SEEN: list = []


@dataclass(frozen=True, kw_only=True)
class Seen(Look):
    """A look that remembers what it was given."""

    kind: ClassVar[str] = "seen"
    images: ClassVar[int] = 6

    depth: int = 2
    names: str = "a"

    def find(self, subject: Subject) -> Finding:
        given = {name: getattr(subject, name) for name in ("model", "images", "labels", "seed", "classes")}
        given |= {"depth": self.depth, "training": subject.model.training, "pixels": subject.pixels}
        SEEN.append(given)
        if self.depth == 13:
            raise UsageError("too deep")
        return Finding(
            kind=self.kind, title="Seen", columns=("a",), rows=[(1,)], values={"x": 1.0}, sentence="S."
        )


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    """Looks that remember what they were given, by what they ask for."""
    SEEN.clear()
    for kind, asks in {
        "seen": {},
        "exact": {"float64": True},
        "one": {"image_file": True},
        "trained": {"trained": True},
    }.items():
        monkeypatch.setitem(parts("look"), kind, type(kind.title(), (Seen,), {"kind": kind, **asks}))
    return SEEN


def test_a_name_is_a_fresh_network_for_the_data(seen):
    (look,) = analyze("trained", "cifar_resnet8", seed=3)
    assert (look.name, look.model, look.data, look.images) == ("cifar_resnet8", "cifar_resnet8", "digits", 6)
    assert look.notes == (
        "freshly initialised, seed 3",
        "what is asked here makes sense of a trained network",
    )
    (given,) = seen
    assert given["images"].shape == (6, 1, 8, 8)
    assert (given["seed"], given["training"]) == (3, False)
    analyze("seen", "cifar_resnet8", seed=3)
    analyze("seen", "cifar_resnet8", seed=4)
    first, again, other = (next(s["model"].parameters()) for s in seen)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_callers_draws_stay_as_they_are():
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    analyze("seen", "cifar_resnet8")
    assert torch.equal(torch.rand(2), expected)


def test_images_are_spread_over_the_split_and_normalised_as_the_run_was(seen, make_run, digits):
    (look,) = analyze("seen", make_run("mine"), images=4)
    assert (look.name, look.data, look.images) == ("mine", "digits", 4)
    positions = np.linspace(0, len(digits.test) - 1, 4).astype(np.int64)
    pixels, labels = digits.test.read(positions)
    assert torch.equal(seen[0]["pixels"], pixels)
    assert torch.equal(seen[0]["labels"], labels)
    expected = (pixels / 255 - digits.mean[0]) / digits.std[0]
    torch.testing.assert_close(seen[0]["images"].contiguous(), expected)
    assert seen[0]["classes"] == digits.classes
    analyze("seen", make_run("other"), images=10**6, split="val")
    assert len(seen[1]["images"]) == len(digits.val)


def test_float64_is_a_copy_of_the_callers_network(seen, make_model):
    model = make_model()
    model.train()
    (look,) = analyze("exact", model, "digits")
    assert look.precision == "float64"
    assert next(seen[0]["model"].parameters()).dtype == seen[0]["images"].dtype == torch.float64
    assert next(model.parameters()).dtype == torch.float32
    before = copy.deepcopy(model.state_dict())
    analyze("seen", model, "digits")
    assert model.training
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_several_networks_see_the_same_images_and_get_names_of_their_own(seen, make_run, folder_data):
    run = make_run("a", data=folder_data())
    looks = analyze("seen", [run, "cifar_plain8", run])
    assert [look.name for look in looks] == ["a (1)", "cifar_plain8", "a (2)"]
    assert all(torch.equal(s["pixels"], seen[0]["pixels"]) for s in seen)


def test_options_are_checked_as_a_specs_fields_are(seen):
    analyze("seen", "cifar_resnet8", options={"depth": 3, "names": "b"}, seed=1)
    assert (seen[0]["depth"], seen[0]["seed"]) == (3, 1)
    for options, message in (
        ({"dept": 3}, "no key 'dept'; did you mean 'depth'"),
        ({"depth": "x"}, "depth must be"),
        ({"depth": 1.5}, "depth must be"),
        ({"pixels": 1}, "no key 'pixels'"),
    ):
        with pytest.raises(UsageError, match=message):
            analyze("seen", "cifar_resnet8", options=options)
    with pytest.raises(UsageError, match="look 'response' has no key 'depth'"):
        analyze("response", "cifar_resnet8", options={"depth": 1})


def test_what_a_kind_refuses_names_the_network():
    with pytest.raises(UsageError, match=r"^cifar_resnet8: too deep"):
        analyze("seen", "cifar_resnet8", options={"depth": 13})


def test_fresh_networks_can_be_changed(seen, make_run):
    analyze("seen", "cifar_resnet8", changes={"shortcut": "C"})
    assert seen[0]["model"].spec.shortcut.kind == "C"
    with pytest.raises(UsageError, match=r"model\.shortcut can only be set of a network by name"):
        analyze("seen", make_run(), changes={"shortcut": "C"})


def test_an_image_file_where_one_will_do(seen, make_run, tmp_path):
    path = tmp_path / "three.png"
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(path)
    run = make_run()
    (look,) = analyze("one", run, path)
    assert (look.data, look.images) == ("three.png", 1)
    assert (seen[0]["images"].shape, seen[0]["labels"].tolist()) == ((1, 1, 8, 8), [-1])
    with pytest.raises(UsageError, match="seen needs images with their classes"):
        analyze("seen", run, path)
    with pytest.raises(ResiduaError, match="does not tell the size"):
        analyze("one", copy.deepcopy(seen[0]["model"]), path)


@pytest.mark.parametrize(
    ("kind", "source", "options", "message"),
    [
        ("sen", "cifar_resnet8", {}, "did you mean 'seen'"),
        (
            "seen",
            "cifar_resnt20",
            {},
            "is no run, no weight file and no network; did you mean 'cifar_resnet20'",
        ),
        ("seen", "none.pth", {}, "there is no file none.pth"),
        ("seen", "runs/none", {}, "there is no run 'runs/none'"),
        ("seen", "cifar_resnet21", {}, "the nearest"),
        ("seen", "transformer_tiny", {}, "no image classifier"),
        ("seen", "cifar_resnet8", {"data": "nowhere"}, "no such file or folder"),
        ("seen", "cifar_resnet8", {"data": "text"}, "no images with classes"),
        ("seen", "cifar_resnet8", {"split": "tset"}, "'tset'"),
        ("seen", "cifar_resnet8", {"images": 0}, "images must be at least 1"),
        ("seen", "cifar_resnet8", {"seed": -1}, "seed must be at least 0"),
        ("seen", "cifar_resnet8", {"changes": {"shortcut": "Q"}}, "'Q'"),
    ],
)
def test_wrong_usage_is_one_line(kind, source, options, message):
    with pytest.raises(UsageError, match=message) as caught:
        analyze(kind, source, **options)
    assert "\n" not in str(caught.value)


def test_the_course_of_a_training_is_that_of_a_run(tmp_path):
    run = fit(
        "cifar_resnet8",
        recipe_changes={"epochs": 2},
        limit_batches=2,
        run_dir=tmp_path / "r",
        threads=1,
        progress=False,
    )
    (look,) = analyze("training", run.path, images=8)
    best = run.result["best_epoch"] + 1
    assert [row[0] for row in look.finding.rows] == sorted({0, best, 2})
    assert all(row[2] > 0 for row in look.finding.rows)
    with pytest.raises(UsageError, match="cifar_resnet8 is no finished run"):
        analyze("training", "cifar_resnet8", images=8)
