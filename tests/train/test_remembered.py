"""What was timed first stands; a file that is damaged, or cannot be written, stops nobody."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residua.train import remembered
from residua.train.remembered import recall, records, remember

KEY = {"machine": {"processor": "p"}, "model": {"name": "m"}, "batch_size": 8}


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_written_first_stands():
    assert remember(KEY, eager=1.0, decided={"10": "off"})["eager"] == 1.0
    second = remember(KEY, eager=2.0, decided={"10": "network", "20": "network"})
    assert (second["eager"], second["decided"]) == (1.0, {"10": "off", "20": "network"})
    assert recall(KEY)["decided"] == second["decided"]
    assert remember(KEY, anew=True, eager=3.0)["eager"] == 3.0


def test_two_at_once_take_the_same(cache):
    with ThreadPoolExecutor(4) as pool:
        decided = list(pool.map(lambda n: remember(KEY, decided={"10": str(n)})["decided"]["10"], range(8)))
    assert len(set(decided)) == 1
    assert sum(1 for path in cache.rglob("*") if path.is_file()) == 1  # and no lock is left


def test_another_batch_or_machine_is_another_record():
    remember(KEY, eager=1.0)
    assert not recall(KEY | {"batch_size": 16})
    assert len(list(records(KEY["machine"]))) == 1
    assert not list(records({"processor": "q"}))


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=25)  # each writes to the disk
@given(
    json_values
    | st.fixed_dictionaries(
        {"schema": st.just(1), "key": st.just(KEY)},
        optional=dict.fromkeys(("eager", "seconds", "compiling", "decided", "tuned"), json_values),
    )
)
def test_a_damaged_record_is_no_record_and_is_replaced(tmp_path_factory, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESIDUA_CACHE", str(tmp_path_factory.mktemp("cache")))
        remember(KEY, eager=1.0)
        remembered._path(KEY).write_text(json.dumps(value))
        found = recall(KEY)
        assert found == {} or all(second > 0 for second in (found.get("seconds") or {}).values())
        assert remember(KEY, eager=2.0)["eager"] in (2.0, found.get("eager"))


def test_a_cache_that_cannot_be_written_is_said(cache, caplog):
    cache.write_text("a file where the folder should be")
    assert remember(KEY, eager=1.0)["eager"] == 1.0
    assert "not remembered" in caplog.text and "cache" in caplog.text
    assert not recall(KEY)
