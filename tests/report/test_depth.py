import pytest

from residua.report import depth as room
from residua.report import read_run
from residua.report.translation import translator

T = translator("en")
GRADIENT = [
    {"unit": "a", "kind": "plain", "norm": 0.5},
    {"unit": "b", "kind": "residual", "norm": 0.25},
    {"unit": "c", "kind": "plain", "norm": None},
]
RESPONSE = [{"unit": "a", "layer": "conv", "std": std} for std in (0.2, None, 0.9)]


@pytest.fixture
def charts(monkeypatch):
    drawn = {}

    def draw(series, *, title, **_):
        drawn[title] = {item.label: item for item in series}
        return ""

    monkeypatch.setattr(room, "line_chart", draw)
    return drawn


@pytest.fixture
def run(make_run):
    return read_run(make_run(inspected={"schema": 1, "gradient": GRADIENT, "response": RESPONSE}))


def test_each_kind_of_unit_stands_at_its_depth(run, charts):
    assert room.depth([("a", run)], T)
    drawn = charts["Gradient norm by unit"]
    assert drawn["residual unit"].x == [2] and drawn["residual unit"].y == [0.25]
    assert drawn["plain unit"].x == [1, 3] and drawn["plain unit"].y[0] == 0.5


def test_responses_are_in_order_and_sorted(run, charts):
    room.depth([("a", run)], T)
    drawn = charts["Response by layer"]
    assert drawn["in order of depth"].x == [1, 2, 3]
    assert drawn["sorted, largest first"].y == [0.9, 0.2]


def test_an_uninspected_run_has_no_depth(make_run, run, charts):
    bare = read_run(make_run("bare"))
    assert room.depth([("bare", bare)], T) is None
    assert room.depth([("bare", bare), ("a", run)], T)
    assert list(charts["Gradient norm by unit"]) == ["a, residual unit", "a, plain unit"]
