import json
import os
import zipfile

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from residua.deploy.pt2_archive import bare, checked_archive
from residua.errors import ResiduaError

PROGRAM, WEIGHTS = "model/models/model.json", "model/data/weights/model_weights_config.json"
MARK = "residua_was_here"


class _Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, images):
        return (self.conv(images.float()).relu().mean((2, 3)),)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A good archive."""
    path = tmp_path_factory.mktemp("pt2") / "model.pt2"
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    program = torch.export.export(_Net().eval(), (images,), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(bare(program), path, extra_files={"labels.json": "[]"})
    return path


@pytest.fixture
def changed(plain, tmp_path):
    """Makes an archive with members replaced; JSON is changed by a function."""

    def make(**members):
        path = tmp_path / "model.pt2"
        with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                change = members.pop(name, None)
                data = old.read(name)
                if change is not None:
                    data = change(json.loads(data)) if callable(change) else change
                    data = data if isinstance(data, bytes) else json.dumps(data).encode()
                new.writestr(name, data)
            for name, data in members.items():
                new.writestr(name, data)
        return path

    return make


def refused(path):
    with pytest.raises(ResiduaError) as caught:
        checked_archive(path, 1)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_good_archive_is_read(plain):
    images = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8)
    found = torch.export.load(checked_archive(plain, 1)).module()(images)
    assert found[0].shape == (5, 2)
    assert "is not that of a network of images" in refuse_other_outputs(plain)


def refuse_other_outputs(path):
    with pytest.raises(ResiduaError) as caught:
        checked_archive(path, 2)
    return str(caught.value)


def node(program, **changes):
    program["graph_module"]["graph"]["nodes"][0] |= changes
    return program


CODE = f"__import__('os').mkdir('{MARK}')"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p | {"guards_code": [CODE]}, "guards, which would be run as Python"),
        (lambda p: node(p, target="torch.hub.load"), "it would call torch.hub.load"),
        (lambda p: node(p, target="torch.ops.aten.from_file.default"), "it would call"),
        (lambda p: node(p, target="_operator.methodcaller"), "it would call"),
        (lambda p: node(p, target="math.__loader__.load_module"), "it would call"),
        (lambda p: node(p, metadata={"torch_fn": "os;system"}), "which would be looked up"),
        (lambda p: p | {"range_constraints": {CODE: {"min_val": 1, "max_val": 2}}}, "would be run as Python"),
        (
            lambda p: node(p, inputs=[{"name": "x", "arg": {"as_string": "/etc/passwd"}, "kind": 1}]),
            "it passes the text '/etc/passwd'",
        ),
        (
            lambda p: node(p, inputs=[{"name": "x", "arg": {"as_expr": {"expr_str": CODE}}, "kind": 1}]),
            "would be run as Python",
        ),
    ],
)
def test_what_would_be_run_is_refused(changed, change, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(changed(**{PROGRAM: change}))
    assert not os.path.exists(MARK)  # noqa: PTH110 - in the working directory


def test_types_in_the_tree_are_not_looked_up(changed):
    def change(program):
        signature = program["graph_module"]["module_call_graph"][0]["signature"]
        signature["out_spec"] = signature["out_spec"].replace("builtins.tuple", "os.system")
        return program

    assert "its out_spec is not that of a network" in refused(changed(**{PROGRAM: change}))


def test_nothing_is_unpickled(changed):
    def pickled(table):
        next(iter(table["config"].values()))["use_pickle"] = True
        return table

    assert "would be unpickled" in refused(changed(**{WEIGHTS: pickled}))
    assert "would be unpickled" in refused(changed(**{"model/data/sample_inputs/model.pt": b"\x80\x02."}))


@pytest.mark.parametrize(
    "name",
    [
        "model/data/weights/model.pt",
        "model/data/aotinductor/model/evil.so",
        "model/models/other.json",
        "../../outside",
        "model/extra/more.txt",
    ],
)
def test_other_members_are_refused(changed, name):
    assert "which no network needs" in refused(changed(**{name: b"x"}))


def test_an_archive_with_a_member_twice_is_refused(plain, tmp_path):
    path = tmp_path / "twice.pt2"
    path.write_bytes(plain.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as file:
        file.writestr(PROGRAM, "{}")
    assert "which no network needs" in refused(path)


@pytest.mark.parametrize("keep", [0, 10, 1000, -30])
def test_a_damaged_archive_is_one_line(plain, tmp_path, keep):
    path = tmp_path / "cut.pt2"
    path.write_bytes(plain.read_bytes()[:keep])
    assert "is no readable exported program" in refused(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(json_values)
def test_any_json_is_refused_in_one_line(changed, value):
    refused(changed(**{PROGRAM: lambda _: value}))
    refused(changed(**{WEIGHTS: lambda _: value}))
