"""Fine-tuning: what learns when, and how fast; an interrupted run ends as if it had not been interrupted."""

import pytest
import torch

from residua.data import load_data
from residua.errors import ResiduaError, UsageError
from residua.machine import compiler
from residua.registry import build, model_spec
from residua.runs.checkpoint import read_state
from residua.spec import DataSpec, Recipe
from residua.train import Interrupted, fit, recipe, resume
from residua.train.guard import Diverged, Guard
from residua.train.layers import held
from residua.train.loop import Loop
from residua.train.supervised import make_optimizer
from residua.weights.model_files import Weights, read_about, read_weights

QUIET = {"threads": 1, "progress": False, "compile": "off"}


def weights_of(name="cifar_resnet8", data=None, **changes):
    torch.manual_seed(1)
    model = build(model_spec(name, in_channels=1, **changes))
    return Weights(model.state_dict(), model.spec, data or {})


def test_the_schedule_is_gone_through_by_each_part():
    one = Recipe(finetuning="head_first(until=0.25)", schedule="linear", warmup=0.5)
    plain = one.change(finetuning=None)
    for progress, within in ((0.0, 0.0), (0.125, 0.5), (0.25, 0.0), (0.625, 0.5), (1.0, 1.0)):
        assert one.lr_factor(progress) == pytest.approx(plain.lr_factor(within))
    assert Recipe(finetuning="head_first(until=0)").lr_factor(0.3) == Recipe().lr_factor(0.3)
    assert Recipe(finetuning="head_first(until=1)", schedule="linear").lr_factor(1.0) == 0.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("head_first(until=1.5)", r"until must be in \[0, 1\]"),
        ("head_first(stem_rate=0)", "stem_rate must be above 0"),
        ("head_frist", "did you mean 'head_first'"),
    ],
)
def test_wrong_options_are_one_line(text, message):
    with pytest.raises(UsageError, match=message):
        Recipe(finetuning=text)


def test_it_is_a_part_of_the_recipe_with_options_in_words_of_its_own():
    one = recipe("finetune", **{"finetuning.until": 0.5})
    assert one.to_dict()["finetuning"] == {"kind": "head_first", "until": 0.5, "stem_rate": 0.1}
    assert Recipe.from_dict(one.to_dict()) == one
    assert one.change(finetuning=None).finetuning is None


def test_rates_rise_from_the_stem_to_the_head_in_even_ratios():
    model = build(model_spec("cifar_resnet8"))
    groups = make_optimizer(model, Recipe(lr=0.8, finetuning="head_first(stem_rate=0.0625)")).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    rates = {names[id(p)]: group["initial_lr"] for group in groups for p in group["params"]}
    assert rates.keys() == dict(model.named_parameters()).keys()
    assert rates["stem.conv.weight"] == pytest.approx(0.05)
    assert rates["stages.0.0.branch.conv1.weight"] == pytest.approx(0.1)
    assert rates["stages.1.0.branch.norm2.bias"] == pytest.approx(0.2)
    assert rates["stages.2.0.branch.conv2.weight"] == pytest.approx(0.4)
    assert rates["head.fc.weight"] == pytest.approx(0.8)


def test_nothing_before_the_head_moves_while_it_is_held():
    model = build(model_spec("cifar_resnet8", dropout=0.5)).train()
    frozen = model.stages[0][0].branch.conv1.weight.requires_grad_(False)  # as its user wants it
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with held(model):
        model(torch.randn(4, 3, 32, 32)).sum().backward()
        assert {name for name, p in model.named_parameters() if p.grad is not None} == {
            "head.fc.weight",
            "head.fc.bias",
        }
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [p for p in model.parameters() if not p.requires_grad] == [frozen]


def test_the_head_learns_alone_and_then_all(tmp_path):
    """Statistics of the norms are those of the weights until everything learns."""
    given = weights_of()

    def trained(until):
        run = fit(
            "cifar_resnet8",
            weights=given,
            run_dir=tmp_path / str(until),
            **QUIET,
            recipe_changes={"iterations": 4, "finetuning.until": until},
        )
        assert run.recipe.name == "finetune"  # which nobody has named
        return read_weights(run.weights).tensors

    moved = {name for name, value in trained(1).items() if not torch.equal(value, given.tensors[name])}
    assert moved == {"head.fc.weight", "head.fc.bias"}
    after = trained(0.5)
    same = {name for name, value in after.items() if torch.equal(value, given.tensors[name])}
    assert not same
    assert int(after["stem.norm.num_batches_tracked"]) == 2


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_run_that_stops_anywhere_goes_on_bit_for_bit(tmp_path, monkeypatch, optimizer):
    """Before the switch, at it, and behind it."""
    step = Loop._train_step

    def outcome(stops):
        path = tmp_path / f"{optimizer}{stops}"

        def stopping(self, batch, epoch):
            if self.state.step + 1 in stops:
                self._on_signal(15)  # which is obeyed behind the step
            return step(self, batch, epoch)

        monkeypatch.setattr(Loop, "_train_step", stopping)
        changes = {
            "iterations": 8,
            "finetuning.until": 0.5,
            "log_every": 1,
            "optimizer": optimizer,
            "lr": 0.01,
        }
        options = {**QUIET, "model_changes": {"drop_path": 0.3}, "recipe_changes": changes}
        going = lambda: fit("cifar_resnet8", weights=weights_of(), run_dir=path, **options)  # noqa: E731
        for stop in stops:
            with pytest.raises(Interrupted):
                going()
            last = path / "checkpoints" / "last.safetensors"
            assert read_state(last, read_about(last)).step == stop
            going = lambda: resume(path, progress=False)  # noqa: E731
        going()
        return (path / "model.safetensors").read_bytes(), (path / "metrics.jsonl").read_bytes()

    assert outcome((3, 4, 5)) == outcome(())


def test_a_training_backs_off_to_before_all_of_it_learned(tmp_path, monkeypatch):
    """Adam has no state of what has not learned yet."""

    def once(self, step, loss, batch=None):
        if step == 5 and not seen:
            seen.append(step)
            raise Diverged(step, loss)

    seen: list[int] = []
    monkeypatch.setattr(Guard, "look_at_step", once)
    changes = {"epochs": 4, "finetuning.until": 0.5, "backoff": 0.5}
    run = fit(
        "cifar_resnet8",
        weights=weights_of(),
        run_dir=tmp_path / "run",
        **QUIET,
        recipe_changes=changes,
        limit_batches=2,
    )
    assert seen == [5]
    assert (run.result["backoffs"], run.result["steps"]) == (1, 8)


def test_images_are_normalised_as_those_that_the_weights_were_trained_on(tmp_path):
    given = weights_of(data={"mean": [0.25], "std": [0.5]})
    options = {"weights": given, "run_dir": tmp_path / "run", **QUIET, "recipe_changes": {"epochs": 1}}
    options["limit_batches"] = 2
    run = fit("cifar_resnet8", **options)
    assert (run.data["mean"], run.data["std"]) == ([0.25], [0.5])
    assert run.data["mean_std_of"] == "the images that the weights were trained on"
    assert read_weights(run.weights).data["mean"] == [0.25]
    assert load_data(run.data_spec).mean == (0.25,)  # who loads them again sees the same
    assert fit("cifar_resnet8", resume_if_exists=True, **options).path == run.path
    assert resume(run, epochs=2, progress=False).result["epochs"] == 2
    told = fit("cifar_resnet8", DataSpec(mean=(0.1,), std=(0.2,)), **options, overwrite=True)
    assert told.data["mean"] == [0.1]


@pytest.mark.parametrize(
    "stated",
    [
        {"mean": "abc", "std": [1.0]},
        {"mean": [0.5], "std": [0.0]},
        {"mean": [0.5], "std": [0.5, 0.5]},
        {"mean": [float("nan")], "std": [1.0]},
        {"mean": [[0.5]], "std": {}},
    ],
)
def test_weights_that_state_no_mean_are_one_line(tmp_path, stated):
    with pytest.raises(ResiduaError, match="the weights") as caught:
        fit("cifar_resnet8", weights=weights_of(data=stated), run_dir=tmp_path / "run", **QUIET)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_fine_tuning_of_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="the recipe finetune goes on from trained weights"):
        fit("cifar_resnet8", recipe="finetune", run_dir=tmp_path / "run", **QUIET)
    with pytest.raises(UsageError, match=r"'head_first' is for classifiers; detector_tiny has no layers"):
        fit(
            build(model_spec("detector_tiny")),
            run_dir=tmp_path / "run",
            **QUIET,
            recipe_changes={"finetuning": "head_first"},
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(compiler().problem is not None, reason="no C++ compiler")
@pytest.mark.parametrize("changes", [{}, {"drop_path": 0.5, "drop_path_mode": "batch"}])
def test_a_compiled_training_holds_the_same_still(tmp_path, changes):
    given = weights_of()
    run = fit(
        "cifar_resnet8",
        weights=given,
        run_dir=tmp_path / "run",
        **{**QUIET, "compile": "on"},
        model_changes=changes,
        recipe_changes={"iterations": 4, "finetuning.until": 0.5},
    )
    found = read_weights(run.weights).tensors
    moved = {name for name, value in found.items() if not torch.equal(value, given.tensors[name])}
    assert {"stem.conv.weight", "head.fc.weight"} <= moved
    assert int(found["stem.norm.num_batches_tracked"]) == 2  # in the second half
