import json

import pytest

from residua.cli.main import main


def _run(capsys, *tokens):
    with pytest.raises(SystemExit) as ended:
        main(("models", *tokens))
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_json_has_every_network_with_its_exact_costs(capsys):
    code, out, err = _run(capsys, "--json")
    values = json.loads(out)
    assert (code, err, values["schema"]) == (0, "", 1)
    rows = {row["name"]: row for row in values["models"]}
    assert rows["resnet152"] == {
        "name": "resnet152",
        "family": "resnet",
        "depth": 152,
        "parameters": 60_192_808,
        "multiply_adds": 11_513_626_624,
        "input": [3, 224, 224],
    }
    assert (rows["cifar_resnet1202"]["parameters"], rows["cifar_resnet1202"]["input"]) == (
        19_421_274,
        [3, 32, 32],
    )
    assert rows["plain34"]["parameters"] == 21_623_848


def test_a_pattern_picks_some(capsys):
    _, out, _ = _run(capsys, "plain[13]*")
    assert out.splitlines() == [
        "name     depth  parameters  multiply-adds      input",
        "plain18     18  11,515,688  1,794,805,760  3x224x224",
        "plain34     34  21,623,848  3,644,493,824  3x224x224",
    ]


def test_a_name_that_no_table_lists_is_found_by_its_formula(capsys):
    _, out, _ = _run(capsys, "cifar_resnet26", "--json")
    assert [row["name"] for row in json.loads(out)["models"]] == ["cifar_resnet26"]


def test_a_pattern_that_nothing_matches_is_one_line_with_the_nearest_names(capsys):
    code, out, err = _run(capsys, "resnet5")
    assert (code, out) == (2, "")
    assert err.startswith("residua: unknown model 'resnet5'; did you mean 'resnet50'")
    assert err.count("\n") == 1


def test_weights_that_have_a_name_say_whether_they_are_here(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub._hub_dir", None)
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "resnet18-f37072fd.pth").touch()
    code, out, err = _run(capsys, "--weights", "--json")
    values = json.loads(out)
    assert (code, err, values["schema"]) == (0, "", 1)
    rows = {row["name"]: row for row in values["weights"]}
    assert next(iter(rows)) == "bundled:cifar_resnet20"
    assert rows["torchvision:resnet18"] == {
        "name": "torchvision:resnet18",
        "network": "resnet18",
        "trained_on": "ImageNet-1K",
        "top1": 69.758,
        "here": True,
    }
    assert not rows["timm:resnet18"]["here"]
    _, out, _ = _run(capsys, "cifar_resnet20", "--weights")
    assert [line.split()[0] for line in out.splitlines()] == [
        "name",
        "bundled:cifar_resnet20",
        "akamaster:resnet20",
    ]
    code, out, err = _run(capsys, "resnet5", "--weights")
    assert (code, out, err) == (2, "", "residua: no weights are called 'resnet5', nor their network\n")
