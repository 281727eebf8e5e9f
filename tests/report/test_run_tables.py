import re

import pytest

from residua.report import read_run, run_tables
from residua.report.translation import translator

T = translator("en")


@pytest.fixture
def stating(make_run, restate):
    """``stating("env", command=[])``: a run whose table says so."""
    return lambda table, **values: read_run(restate(make_run(table, epochs=0), table, **values))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["residua", "train", "a b", "--set", "x=$HOME"], "residua train 'a b' --set 'x=$HOME'"),
        ("residua train", "residua train"),
        ([], None),
        (None, None),
        (3, None),
    ],
)
def test_the_command_can_be_pasted_into_a_shell(stating, command, said):
    run = stating("env", command=command)
    assert run_tables.command(run) == said
    assert (run_tables.repeat(run, T) is None) is (said is None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "none"),
        (True, "yes"),
        (False, "no"),
        (0.1, "0.1"),
        ([1, [2, 3]], "1, 2, 3"),
        ([], "none"),
        ([{"a": 1, "b": None}], "a=1, b=none"),
        (list(range(100)), ", ".join(map(str, range(run_tables.SHOWN))) + ", and 60 more"),
    ],
)
def test_values_as_a_person_reads_them(value, said):
    assert run_tables.say(value, T) == said


def test_nesting_ends_somewhere():
    deep = value = {}
    for _ in range(900):
        value["x"] = {}
        value = value["x"]
    (name, rest), *none = run_tables.flatten(deep)
    assert name == ".".join("x" * (run_tables.DEEPEST + 1)) and not none
    assert "…" in run_tables.say(rest, T)


def test_skipped_files_are_counted_and_listed_with_their_reasons(section, make_run, restate, stating):
    skipped = [{"path": f"{i}.png", "reason": "truncated"} for i in range(1500)]
    markup = section("data", run_tables.data(stating("data", kind="folder", skipped=skipped), T))
    assert "Skipped files: 1,500" in markup and "and 1,300 more" in markup
    assert markup.count("truncated") == run_tables.LISTED
    assert "No file was skipped" in section(
        "data", run_tables.data(read_run(restate(make_run(), "data", skipped=[])), T)
    )


def test_costs_add_up(section, make_run):
    parts = [{"part": p, "parameters": n, "multiply_adds": 10 * n} for p, n in (("stem", 100), ("head", 300))]
    markup = section("cost", run_tables.cost(read_run(make_run(inspected={"schema": 1, "cost": parts})), T))
    assert "<b>400</b>" in markup and "<b>4,000</b>" in markup
    assert re.findall(r"--share:([\d.]+)", markup) == ["0.2500", "0.2500", "0.7500", "0.7500"]


def test_the_environment_leaves_the_command_to_its_own_section(section, make_run):
    assert "--model" not in section("environment", run_tables.environment(read_run(make_run(epochs=0)), T))
