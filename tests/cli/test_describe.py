import json
import re

import pytest

from residua.cli.main import main


def _run(capsys, *tokens):
    with pytest.raises(SystemExit) as ended:
        main(tokens)
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_json_is_one_object_with_the_exact_counts(capsys):
    code, out, err = _run(capsys, "describe", "resnet50", "--json")
    values = json.loads(out)
    assert (code, err) == (0, "")
    assert {
        "schema",
        "name",
        "parameters",
        "multiply_adds",
        "input",
        "depth",
        "stages",
        "published",
        "deviations",
    } <= set(values)
    assert (values["schema"], values["parameters"], values["multiply_adds"]) == (1, 25_557_032, 4_089_184_256)


def test_the_page_goes_to_stdout(capsys):
    code, out, err = _run(capsys, "describe", "cifar_resnet8")
    assert (code, err) == (0, "")
    assert out.startswith("cifar_resnet8: 75,290 parameters")


def test_input_and_set_change_what_is_described(capsys):
    _, out, _ = _run(
        capsys,
        "describe",
        "cifar_resnet8",
        "--input",
        "1, 16, 24",
        "--set",
        "in_channels=1",
        "--set",
        "shortcut=B",
        "--json",
    )
    values = json.loads(out)
    assert values["input"] == [1, 16, 24]
    assert values["stages"][2]["output"] == [64, 4, 6]
    assert (values["spec"]["in_channels"], values["spec"]["shortcut"]) == (1, {"kind": "B"})
    assert values["stages"][1]["shortcuts"][0]["kind"] == "projection"


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["resnet51"], "unknown model 'resnet51'; did you mean 'resnet50'"),
        (["cifar_resnet21"], "depth 21 is not 6n+2 (basic) or 9n+2 (bottleneck)"),
        (
            ["resnet18", "--input", "3x224"],
            "--input takes the shape of one sample, such as 3,224,224, not '3x224'",
        ),
        (["resnet18", "--input", "3,-1,5"], "--input takes the shape of one sample"),
        (["resnet18", "--input", "3,0,5"], "above 0, not [3, 0, 5]"),
        (["resnet18", "--input", "3,16,16"], "needs at least 32 px, got 16x16"),
        (
            ["resnet18", "--set", "shortcu=A"],
            "no key 'shortcu'; did you mean 'shortcut'?",
        ),
        (["resnet18", "--set", "shortcut"], "--set takes"),
        (["resnet18", "--set", "run.seed=1"], "describe knows the model only"),
        (["resnet18", "--set", "depths=3"], "ResNetSpec.depths must be a list, not 3"),
        ([], "model"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(capsys, tokens, message):
    code, out, err = _run(capsys, "describe", *tokens)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_an_error_is_json_too(capsys):
    code, out, _ = _run(capsys, "describe", "resnet51", "--json")
    assert code == 2
    assert "unknown model" in json.loads(out)["error"]


def test_a_run_is_described_as_it_was_trained(command, run):
    """Its own input, what it was trained on, and how well it did; a name of a network still means the network."""
    result = json.loads((run / "result.json").read_text())
    described = command("describe", "first", "--json").json
    trained = described["trained"]
    assert (described["name"], described["input"]) == (result["model"], [1, 8, 8])
    assert (trained["data"], trained["task"], trained["classes"]) == (
        "digits",
        "classification",
        list("0123456789"),
    )
    assert trained["test_accuracy"] == result["test_accuracy"]
    page = command("describe", str(run)).out
    assert "As it was trained" in page
    assert re.search(rf"^test accuracy +{result['test_accuracy']:.4g}$", page, re.MULTILINE)
    assert "trained" not in command("describe", "cifar_resnet8", "--json").json


def test_a_weight_file_is_described(command, run):
    described = command("describe", run / "model.safetensors", "--json").json
    assert described["trained"]["classes"] == list("0123456789")
    assert "is trained: --set num_classes=3" in command(
        "describe", run / "model.safetensors", "--set", "num_classes=3"
    ).refused(2)
    assert "there is no file none.safetensors" in command("describe", "none.safetensors").refused(2)
    assert "no run" in command("describe", "runs/none").refused(2)
