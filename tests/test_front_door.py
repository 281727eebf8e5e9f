"""One door to the benchmarks: it lists, runs, stores and shows them, each machine's class beside the others."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from benchmarks import front_door
from benchmarks.front_door import BENCHMARKS, Result, main, page, stored

FAKE = SimpleNamespace(
    __doc__="How long nothing takes.\n\nIt is not done again and again.\n",
    options=lambda parser: parser.add_argument("--rounds", type=int, default=2),
    measure=lambda asked: Result(
        ratio=float(asked.rounds),
        spread=(1.0, 3.0),
        limit_share=0.5,
        evidence={"rows": [1, 2]},
        skipped=["bfloat16: this processor only emulates it"],
    ),
    table=lambda evidence: [f"rows: {evidence['rows']}"],
)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """A benchmark named ``nothing``, its results in a folder of the test."""
    monkeypatch.setitem(BENCHMARKS, "nothing", ("nothing", "how long nothing takes"))
    monkeypatch.setitem(sys.modules, "benchmarks.nothing", FAKE)
    monkeypatch.setattr(front_door, "RESULTS", tmp_path)
    return tmp_path


def test_the_list_needs_no_torch():
    code = "import sys; from benchmarks.front_door import main; main(['list']); assert 'torch' not in sys.modules"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in ran.stdout.splitlines()] == list(BENCHMARKS)


def test_json_is_one_object_with_the_three_figures(fake, capsys):
    assert main(["run", "nothing", "--quick", "--json", "--rounds", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["ratio"], found["spread"], found["limit_share"]) == (4.0, [1.0, 3.0], 0.5)
    assert found["command"] == "python -m benchmarks run nothing --quick --rounds 4"
    assert found["machine"]["cpu"] and found["class"]
    assert not list(fake.iterdir())  # a quick look stores nothing


def test_machines_stand_side_by_side(fake, monkeypatch, capsys):
    for kind in ("amx", "avx2"):
        monkeypatch.setattr(front_door, "machine_class", lambda kind=kind: kind)
        assert main(["run", "nothing"]) == 0
    assert [evidence["class"] for evidence in stored("nothing")] == ["amx", "avx2"]
    text = (fake / "nothing.md").read_text()
    assert text == page("nothing", stored("nothing"))
    assert "| amx | 2.00 | 1.00-3.00 | 50% |\n| avx2 | 2.00 | 1.00-3.00 | 50% |" in text
    assert text.startswith("# How long nothing takes\n\nIt is not done again and again.\n")
    assert text.count("Left out: bfloat16: this processor only emulates it") == 2
    assert "# How long" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tokens", "said"), [(["run", "nothng"], "did you mean 'nothing'"), (["run"], "run NAME"), ([], "list")]
)
def test_what_it_cannot_do_is_one_line(fake, capsys, tokens, said):
    assert main([*tokens, "--json"]) == 2
    captured = capsys.readouterr()
    assert said in json.loads(captured.out)["error"]
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_has_what_the_door_asks_for_and_its_page_is_made_from_its_evidence(name):
    module = front_door.module_of(name)
    assert module.__doc__ and all(callable(getattr(module, part)) for part in ("options", "measure", "table"))
    measured = stored(name)
    made = front_door.RESULTS / f"{BENCHMARKS[name][0]}.md"
    if measured:
        assert made.read_text(encoding="utf-8") == page(name, measured)
