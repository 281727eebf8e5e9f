import json

import pytest
import torch

from residua.cli.main import main
from residua.data import load_data
from residua.data.sources.scenes import COUNTS
from residua.loading import create_model
from residua.weights.model_files import save_model


@pytest.fixture
def files(tmp_path):
    """Two weight files of networks for the digits."""
    data, paths = load_data("digits"), []
    for seed in range(2):
        torch.manual_seed(seed)
        about = {
            "classes": list(data.classes),
            "shape": [1, 8, 8],
            "mean": list(data.mean),
            "std": list(data.std),
        }
        paths.append(tmp_path / f"{seed}.safetensors")
        save_model(paths[-1], create_model("cifar_resnet8", in_channels=1), about)
    return [str(path) for path in paths]


@pytest.fixture
def residua(capsys):
    """Runs the command: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["evaluate", *arguments])
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def test_one_source_is_one_object(residua, files):
    code, out, _ = residua(files[0], "digits", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == 1
    assert 0 <= found["top1"] <= 1
    assert found["n"] == sum(map(sum, found["confusion"])) == 360
    assert {"top5", "nll", "ece", "interval", "per_class", "views", "source", "data", "seconds"} <= set(found)


def test_several_sources_and_a_mean(residua, files):
    code, out, _ = residua(*files, "--data", "digits", "--json")
    found = json.loads(out)
    assert code == 0
    assert [one["source"] for one in found["evaluations"]] == files
    assert found["mean"]["runs"] == 2
    assert residua(*files, "digits", "--json")[0] == 0


def test_an_ensemble_is_one_object(residua, files):
    code, out, _ = residua(*files, "digits", "--ensemble", "--json")
    assert code == 0
    assert json.loads(out)["source"] == " + ".join(files)


def test_views(residua, files):
    asked = (
        (["--flip"], 2),
        (["--ten-crop"], 10),
        (["--scales", "1,1.25", "--flip"], 4),
        (["--shift", "1"], 3),
    )
    for flags, count in asked:
        code, out, _ = residua(files[0], "digits", "--limit-batches", "1", "-b", "8", "--json", *flags)
        assert code == 0
        assert (len(json.loads(out)["views"]), json.loads(out)["n"]) == (count, 8)
        assert json.loads(out)["plain"]["top1"] <= 1


def test_the_plain_figure_comes_first(residua, files):
    plain = residua(files[0], "digits")[1].splitlines()
    shown = residua(files[0], "digits", "--flip")[1].splitlines()
    assert shown[:2] == plain[:2]
    assert shown[2].startswith("shown whole, whole mirrored: top-1 ")
    assert (
        residua(files[0], "digits", "--ten-crop")[1]
        .splitlines()[2]
        .startswith("shown the mean of 10 views: ")
    )


def test_the_text_names_the_figures_and_every_class(residua, files):
    code, out, err = residua(*files, "digits")
    assert (code, err) == (0, "")
    assert out.count("top-1") == 3
    assert "mean of 2" in out
    assert all(f"\n  {label} " in out for label in "0123456789")


@pytest.fixture
def detector(tmp_path, monkeypatch):
    """A weight file of a detector, and few scenes."""
    for name in COUNTS:
        monkeypatch.setitem(COUNTS, name, 12)
    about = {"classes": list("0123456789"), "shape": [1, 64, 64], "mean": [0.2], "std": [0.2]}
    save_model(tmp_path / "detector.safetensors", create_model("detector_tiny"), about)
    return str(tmp_path / "detector.safetensors")


def test_other_tasks_have_their_own_figures(residua, detector, files):
    code, out, err = residua(detector, "scenes:boxes", "--split", "val", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["schema"], found["task"], found["n"], found["split"]) == (1, "detection", 12, "val")
    assert set(found["figures"]) == {"average_precision", "average_precision_50", "loss"}
    code, out, _ = residua(detector, "scenes:boxes", "--limit-batches", "1", "-b", "4")
    assert (code, out.splitlines()[0]) == (0, f"{detector} on scenes:boxes: 4 test images")
    assert out.splitlines()[1].startswith("average precision ")
    code, out, _ = residua(detector, detector, "scenes:boxes", "--json")
    assert (code, len(json.loads(out)["evaluations"])) == (0, 2)


@pytest.mark.parametrize(
    "flags", [["--flip"], ["--ten-crop"], ["--scales", "1,1.2"], ["--shift", "1"], ["--ensemble"]]
)
def test_what_only_classifiers_can_is_refused_of_the_others(residua, detector, flags):
    code, out, err = residua(detector, "scenes:boxes", *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"are for classifiers; {detector} is trained for detection" in err


WRONG = [
    (["none.pth", "digits"], "there is no file none.pth"),
    (["{0}", "none.pth"], "there is no file none.pth"),
    (["{0}"], "does not say where its images are"),
    (["{0}", "nowhere"], "no such file or folder"),
    (["{0}", "scenes:boxes"], "takes images with a class each, which scenes:boxes has not"),
    (["{0}", "digits", "--scales", "1,x"], "--scales must be numbers"),
    (["{0}", "digits", "--scales", "0"], "scale"),
    (["{0}", "digits", "--split", "tset"], "'tset'"),
    (["{0}", "digits", "--device", "abacus"], "abacus"),
    (["{0}", "digits", "--batch-size", "0"], "batch_size"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_usage_is_one_line_and_exit_code_2(residua, files, arguments, message):
    code, out, err = residua(*(argument.format(*files) for argument in arguments))
    assert code == 2
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
