import json

import pytest

from residua.cli.main import main


@pytest.fixture
def residua(capsys):
    """Runs the command: exit code, stdout, stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(list(arguments))
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def test_every_recipe_is_listed_with_its_evidence(residua):
    code, out, err = residua("recipes")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    fast = next(line for line in lines if line.startswith("fast "))
    assert "18 epochs" in fast
    assert next(line for line in lines if line.startswith("leclerc2023-imagenet-16 ")).endswith(
        "untested here"
    )
    assert next(line for line in lines if line.startswith("digits ")).endswith("accuracy.md")


def test_a_single_one_is_shown_whole(residua):
    code, out, _ = residua("recipes", "he2015-cifar")
    assert code == 0
    assert "source: He et al. 2015, sec. 4.2" in out
    assert ["schedule.milestones", "0.5,", "0.75"] in [line.split() for line in out.splitlines()]


def test_json_is_one_object(residua):
    code, out, _ = residua("recipes", "fast*", "--json")
    found = json.loads(out)
    assert (code, found["schema"]) == (0, 1)
    assert found["recipes"][0]["recipe"]["optimizer"]["kind"] == "sgd"
    assert {one["name"] for one in found["recipes"]} >= {"fast", "fast-wide"}


def test_an_unknown_one_names_the_nearest(residua):
    code, out, err = residua("recipes", "fats")
    assert (code, out) == (2, "")
    assert "no recipe is called 'fats'; did you mean 'fast'" in err
