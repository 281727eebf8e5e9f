import json

from residua.data import load_data, same_identity
from residua.data.identity import digest
from residua.spec import DataSpec


def test_the_same_data_is_the_same_after_a_round_trip() -> None:
    data = load_data("digits")
    assert same_identity(json.loads(json.dumps(data.identity)), load_data("digits").identity) is None
    assert same_identity({**data.identity, "source": "elsewhere", "path": "/moved"}, data.identity) is None


def test_what_differs_is_named_in_one_line() -> None:
    before = load_data("digits").identity
    other_split = load_data(DataSpec(split_seed=1)).identity
    assert (same_identity(before, other_split) or "").startswith("the data's split_sha256 differs: ")
    assert "counts" in (same_identity(before, load_data(DataSpec(val_fraction=0.2)).identity) or "")
    line = same_identity({**before, "classes": ["x" * 500]}, before)
    assert line and len(line) < 200 and "\n" not in line
    assert same_identity({}, before)


def test_a_digest_tells_where_parts_end() -> None:
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"]) != digest([b"abc"])
