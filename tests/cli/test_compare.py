"""``residua compare``, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def quick(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return ["--epochs", "1", "--seeds", "1", "--max-seeds", "1", "--jobs", "1"]


@pytest.mark.slow
def test_a_block_of_ones_own_in_processes_of_their_own(command, quick):
    """The block that CONTRIBUTING shows, at equal parameters; the same command answers again at once."""
    guide = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
    Path("my_block.py").write_text(guide.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0])
    arguments = ["compare", "cifar_resnet8", "my_block.py:squeezed", "--match", "params", *quick]
    answer = command(*arguments, "--json")
    assert answer.code == 0, answer.err
    result = answer.json
    assert abs(result["matched"]["ratio"] - 1) <= 0.05
    folder = Path("compare/cifar_resnet8-cifar_resnet8-squeezed-params")
    assert folder == Path(result["folder"])
    for name in (
        "figure.png",
        "figure.svg",
        "figure.pdf",
        "table.csv",
        "table.tex",
        "result.json",
        "my_block.py",
    ):
        assert (folder / name).stat().st_size > 0, name
    again = command(*arguments)
    assert again.code == 0
    assert again.err == "", "nothing was trained"
    assert result["sentence"] in again.out
    assert "Matched: cifar_resnet8-squeezed at " in again.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["cifar_resnet8"], 2, "requires an argument"),
        (["cifar_resnet8", "cifar_resnet8"], 2, "the same network"),
        (["cifar_resnet8", "mine.py:net"], 2, "cannot read mine.py"),
        (["cifar_resnet8", "cifar_resnet14", "--match", "cost"], 2, "params"),
        (["cifar_resnet8", "cifar_resnet14", "--jobs", "0"], 2, "jobs are 1 or more"),
        (["cifar_resnet8", "transformer_tiny"], 2, "cannot be compared"),
        (["cifar_resnet8", "cifar_resnet14", "--data", "nowhere"], 2, "no such file or folder: 'nowhere'"),
        (["cifar_resnet8", "googlenet"], 2, "needs at least 32 px"),
    ],
)
def test_wrong_usage_is_one_line(command, quick, arguments, code, said):
    options = quick if "--jobs" not in arguments else []
    assert said in command("compare", *arguments, *options).refused(code)
