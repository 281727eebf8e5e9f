import json

import pytest
import torch

from residua.cli.main import main
from residua.data import load_data
from residua.loading import create_model
from residua.models.weights import save_model


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
    for flags, count in ((["--flip"], 2), (["--ten-crop"], 10), (["--scales", "1,1.25", "--flip"], 4)):
        code, out, _ = residua(files[0], "digits", "--limit-batches", "1", "-b", "8", "--json", *flags)
        assert code == 0
        assert (len(json.loads(out)["views"]), json.loads(out)["n"]) == (count, 8)


def test_the_text_names_the_figures_and_every_class(residua, files):
    code, out, err = residua(*files, "digits")
    assert (code, err) == (0, "")
    assert out.count("top-1") == 3
    assert "mean of 2" in out
    assert all(f"\n  {label} " in out for label in "0123456789")


WRONG = [
    (["none.pth", "digits"], "there is no file none.pth"),
    (["{0}", "none.pth"], "there is no file none.pth"),
    (["{0}"], "does not say where its images are"),
    (["{0}", "nowhere"], "no such file or folder"),
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
