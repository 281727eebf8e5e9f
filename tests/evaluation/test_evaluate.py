import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from residua.data import load_data
from residua.errors import ResiduaError, UsageError
from residua.evaluation import evaluate, make_views, over_runs
from residua.spec import DataSpec
from residua.weights.model_files import read_about, save_model, save_tensors


def probabilities(model, data, split="test"):
    """The reference: one batch, normalised by hand."""
    pixels, labels = data.split(split).read(np.arange(len(data.split(split))))
    mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (data.mean, data.std))
    with torch.no_grad():
        logits = model.eval()((pixels / 255 - mean) / std)
    return logits.double().softmax(1).numpy(), labels.numpy()


def test_figures_are_those_of_a_plain_reference(make_model, digits):
    model = make_model()
    found = evaluate(model, digits)
    p, labels = probabilities(model, digits)
    order = np.argsort(-p, axis=1)
    assert found.n == len(labels)
    assert found.top1 == pytest.approx((order[:, 0] == labels).mean())
    assert found.top5 == pytest.approx((order[:, :5] == labels[:, None]).any(1).mean())
    assert found.nll == pytest.approx(-np.log(p[np.arange(len(labels)), labels]).mean(), abs=1e-5)
    assert found.interval[0] < found.top1 < found.interval[1]
    assert np.array(found.confusion).sum() == found.n
    assert np.array(found.confusion).trace() / found.n == pytest.approx(found.top1)
    assert [row["n"] for row in found.per_class] == np.bincount(labels).tolist()


def test_the_batch_size_changes_nothing_but_rounding(make_model, digits):
    model = make_model()
    small, large = evaluate(model, digits, batch_size=37), evaluate(model, digits, batch_size=1000)
    assert np.abs(np.subtract(small.confusion, large.confusion)).sum() <= 2  # an image between two classes
    assert small.nll == pytest.approx(large.nll, abs=1e-6)


def test_a_run_brings_its_data_and_its_normalisation(make_run, make_model, digits):
    run = make_run()
    found = evaluate(run)
    assert found.source == "run"
    assert found.data == "digits"
    assert found.notes == ()
    assert found.confusion == evaluate(make_model(), digits).confusion
    assert found.to_dict() == json.loads(json.dumps(found.to_dict(), allow_nan=False)) | {
        key: found.to_dict()[key]
        for key in ("interval", "views", "classes", "per_class", "confusion", "notes")
    }


def test_a_weight_file_is_shown_images_with_its_own_mean_and_std(tmp_path, make_model, digits):
    model = make_model()
    own = {"mean": [0.1], "std": [0.7], "shape": [1, 8, 8], "classes": list(digits.classes)}
    save_model(tmp_path / "w.safetensors", model, own)
    found = evaluate(tmp_path / "w.safetensors", "digits")
    assert found.confusion == evaluate(model, digits.normalized_with([0.1], [0.7])).confusion
    assert found.confusion != evaluate(model, digits).confusion


def test_an_ensemble_averages_probabilities(make_model, digits):
    models = [make_model(seed) for seed in range(3)]
    found = evaluate(models, digits, ensemble=True)
    p = sum(probabilities(model, digits)[0] for model in models) / 3
    labels = digits.test.labels
    assert found.top1 == pytest.approx((p.argmax(1) == labels).mean())
    assert found.nll == pytest.approx(-np.log(p[np.arange(len(labels)), labels]).mean(), abs=1e-5)
    assert found.source == "cifar_resnet8 + cifar_resnet8 + cifar_resnet8"


def test_views_average_probabilities(make_model, digits):
    model = make_model()
    pixels, labels = digits.test.read(np.arange(len(digits.test)))
    images = (pixels / 255 - digits.mean[0]) / digits.std[0]
    with torch.no_grad():
        both = [model(images).double().softmax(1), model(images.flip(3)).double().softmax(1)]
    p = (sum(both) / 2).numpy()
    found = evaluate(model, digits, views=make_views(flip=True))
    assert found.nll == pytest.approx(-np.log(p[np.arange(len(labels)), labels]).mean(), abs=1e-5)
    assert found.views == ("whole", "whole mirrored")


@pytest.mark.parametrize("views", [{"flip": True}, {"scales": (1.25,)}, {"shift": 1}])
def test_the_plain_figures_stand_beside_those_of_other_views(make_model, digits, views):
    models = [make_model(seed) for seed in range(2)]
    alone, shown = (
        evaluate(models, digits, ensemble=True, views=asked) for asked in (make_views(), make_views(**views))
    )
    assert alone.plain is None
    assert shown.nll != alone.nll
    assert shown.plain == {name: getattr(alone, name) for name in shown.plain}
    assert over_runs([shown, shown])["plain_top1"] == alone.top1
    assert "plain_top1" not in over_runs([alone, alone])
    assert f"top-1 {alone.top1:.2%} as they are" in shown._repr_html_()


def test_several_sources_give_a_list_and_a_mean(make_run):
    found = evaluate([make_run("a", seed=0), make_run("b", seed=1)])
    assert [one.source for one in found] == ["a", "b"]
    mean = over_runs(found)
    assert mean["top1"] == pytest.approx((found[0].top1 + found[1].top1) / 2)
    assert mean["interval"][0] < mean["top1"] < mean["interval"][1]
    assert over_runs(found[:1])["interval"] is None
    assert isinstance(evaluate([make_run("c")]), list)


def test_limit_and_progress(make_model, digits):
    told = []
    found = evaluate(
        make_model(), digits, batch_size=50, limit=2, progress=lambda done, total: told.append((done, total))
    )
    assert found.n == 100
    assert told == [(50, 100), (100, 100)]


def test_other_splits(make_model, digits):
    model = make_model()
    assert evaluate(model, digits, split="val").n == len(digits.val)
    with pytest.raises(UsageError, match="'tset'"):
        evaluate(model, digits, split="tset")
    with pytest.raises(UsageError, match="no val part"):
        evaluate(model, DataSpec(val_fraction=0.0), split="val")


def test_a_run_in_bfloat16_is_measured_in_bfloat16(make_run):
    low, full = evaluate(make_run("low", precision="bfloat16")), evaluate(make_run("full"))
    assert (low.precision, full.precision) == ("bfloat16", "float32")
    assert low.nll != full.nll
    assert low.nll == pytest.approx(full.nll, rel=0.05)


def test_a_run_finds_its_images_from_another_folder(tmp_path, monkeypatch, make_run, image_folder):
    image_folder()
    monkeypatch.chdir(tmp_path)
    run = make_run(data=load_data(DataSpec(source="images")))
    expected = evaluate(run).confusion
    monkeypatch.chdir(run)
    assert evaluate(run).confusion == expected


def test_bad_files_are_left_out_and_counted_or_refused(make_run, folder_data):
    data = folder_data()
    run = make_run(data=data)
    before = evaluate(run)
    bad = data.test.paths()[3]
    with open(bad, "wb") as file:  # noqa: PTH123
        file.write(b"no image")
    found = evaluate(run)
    assert (before.n, before.left_out) == (12, 0)
    assert found.n == 11
    with pytest.raises(ResiduaError, match=r"3\.png"):
        evaluate(run, strict=True)


def test_images_that_changed_since_the_training_are_noted(make_run, folder_data):
    data = folder_data()
    run = make_run(data=data)
    with open(data.train.paths()[0], "ab") as file:  # noqa: PTH123
        file.write(b"more")
    assert any("no longer those of the run" in note for note in evaluate(run).notes)


def test_a_folder_is_read_in_the_size_of_the_network(make_run, image_folder, folder_data):
    run = make_run(data=folder_data())
    other = image_folder("large", size=40)
    assert evaluate(run, other).n == 12
    assert evaluate(run, str(other)).data == f"folder:{other}"


def test_classes_channels_and_sizes_must_fit(
    make_run, image_folder, folder_data, digits, tmp_path, make_model
):
    run = make_run(data=folder_data())
    with pytest.raises(UsageError, match=r"'cow' where it has 'cat'"):
        evaluate(run, image_folder("other", classes=("cow", "dog")))
    with pytest.raises(UsageError, match=r"knows 2 classes, .* has 3"):
        evaluate(run, image_folder("three", classes=("cat", "cow", "dog")))
    with pytest.raises(UsageError, match="takes 3 channels, the images of digits have 1"):
        evaluate(run, digits)
    with pytest.raises(UsageError, match="knows 7 classes, digits has 10"):
        evaluate(make_model(num_classes=7), digits)
    save_model(tmp_path / "w.safetensors", make_model(), {"shape": [1, 16, 16]})
    with pytest.raises(UsageError, match="trained on images of 16x16 pixels, those of digits have 8x8"):
        evaluate(tmp_path / "w.safetensors", "digits")


def test_an_ensemble_needs_the_same_images(make_run, folder_data):
    runs = [make_run("a", data=folder_data()), make_run("b", data=folder_data(name="more", count=7))]
    with pytest.raises(UsageError, match="a and b saw different images"):
        evaluate(runs, ensemble=True)


def test_a_module_is_left_as_it_was(make_model, digits):
    model = make_model().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluate(model, digits)
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    model(torch.rand(4, 1, 8, 8)).sum().backward()  # it can still be trained


def test_what_cannot_be_evaluated_is_one_line(tmp_path, make_model, digits):
    save_model(tmp_path / "w.safetensors", make_model())
    with pytest.raises(UsageError, match="does not say where its images are"):
        evaluate(tmp_path / "w.safetensors")
    with pytest.raises(UsageError, match="nothing to evaluate"):
        evaluate([])
    with pytest.raises(UsageError, match="at least one view"):
        evaluate(make_model(), digits, views=())
    with pytest.raises(UsageError, match="not int"):
        evaluate(3, digits)
    with pytest.raises(UsageError, match="create_model"):
        evaluate(torch.nn.Linear(2, 2), digits)
    with pytest.raises(UsageError, match="device"):
        evaluate(make_model(), digits, device="abacus")
    for name in ("batch_size", "limit"):
        with pytest.raises(UsageError, match=name):
            evaluate(make_model(), digits, **{name: 0})


def test_a_network_that_gives_nan_is_refused_and_not_called_right(make_model, digits):
    model = make_model()
    with torch.no_grad():
        model.head.fc.bias[3] = math.nan
    with pytest.raises(ResiduaError, match="not finite"):
        evaluate(model, digits)


@pytest.mark.parametrize(
    "data",
    [
        {"mean": "x", "std": [1.0]},
        {"mean": [0.1]},
        {"mean": [0.1], "std": [0.0]},
        {"shape": [1, 8]},
        {"classes": [1]},
    ],
)
def test_a_weight_file_with_a_wrong_description_is_refused(tmp_path, make_model, data):
    path = tmp_path / "w.safetensors"
    save_model(path, make_model(), data)
    with pytest.raises(ResiduaError, match="describes its images wrongly") as caught:
        evaluate(path, "digits")
    assert caught.value.exit_code == 1
    save_tensors(path, load_file(path), {**read_about(path), "data": {"classes": ["a", "b"]}})
    with pytest.raises(ResiduaError, match="names 2 classes but has 10 outputs"):
        evaluate(path, "digits")


@pytest.mark.parametrize(("name", "correct"), [("resnet20-12fca82f.th", 932), ("resnet56-4bfd9763.th", 943)])
def test_the_peers_checkpoints_score_what_they_score(shared, name, correct):
    found = evaluate(shared / "data/peer-checkpoints" / name, shared / "data/cifar10-head")
    assert (round(found.top1 * found.n), found.n) == (correct, 1017)
    assert found.top1 == pytest.approx(correct / 1017)
