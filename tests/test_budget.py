"""A spec that asks for too much is refused at once, whoever reads it; what is built is built as before."""

import dataclasses
import json
import resource
import struct
import time
import typing
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from residua import create_model, load_model
from residua.analysis.skeleton import skeleton
from residua.budget import MOST_PARAMETERS, MOST_UNITS, limit
from residua.errors import ResiduaError, UsageError
from residua.registry import build, families, family, model_spec
from residua.weights.model_files import save_tensors

HOSTILE = {
    "units": ("resnet18", {"depths": [10_000], "widths": [64]}),
    "dense width": ("densenet121", {"width": 10**6}),
    "split attention": ("resnest50", {"depths": [100_000] * 3, "widths": [64] * 3}),
    "classes": ("resnet18", {"num_classes": 2**62}),
    "channels": ("resnet18", {"in_channels": 2**40}),
    "widths": ("resnet18", {"widths": [2**40] * 4}),
    "wide": ("resnet18", {"widths": [20_000] * 4}),
    "expansion": ("resnet50", {"widths": [250_000] * 4, "expansion": 10**6}),
    "paths": ("resnext50_32x4d", {"path_width": 10**6, "cardinality": 10**6}),
    "layers": ("vit_b_32", {"layers": 10**5}),
    "positions": ("vit_b_32", {"image_size": 10**6, "patch": 1}),
    "vocabulary": ("transformer_tiny", {"vocabulary": 2**62}),
    "stages": ("resnet18", {"depths": [1] * 5000, "widths": [1] * 5000}),
    "blocks": ("ode_tiny", {"blocks": 10**9}),
    "steps": ("ode_tiny", {"steps": 10**6, "solver": "rk4"}),
    "halvings": ("sngan_tiny", {"halvings": 10**9}),
    "tower": ("detector_tiny", {"tower": 10**9}),
    "layers of VGG": ("vgg_tiny", {"depths": [10**9] * 3}),
    "frames": ("r3d_tiny", {"depths": [10**9] * 3}),
}


@pytest.fixture(scope="module", autouse=True)
def _started():
    """What follows is measured beyond start-up: importing torch's parts takes seconds."""
    for item in families().values():
        skeleton(model_spec(item.tiny))


@contextmanager
def cheap():
    """At most a second of the processor and 500 MB."""
    began, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.process_time() - began < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 * 1024


@pytest.mark.parametrize(("name", "changes"), HOSTILE.values(), ids=HOSTILE)
def test_what_asks_for_too_much_is_refused_at_once(name, changes):
    with cheap(), pytest.raises(UsageError) as caught:
        create_model(name, **changes)
    assert "\n" not in str(caught.value)
    with cheap(), pytest.raises(UsageError):
        skeleton(model_spec(name, **changes))


@pytest.mark.parametrize(("name", "changes"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_asks_for_too_much_is_refused_at_once(tmp_path, name, changes):
    path = tmp_path / "small.safetensors"
    save_tensors(path, {"a": torch.zeros(1)}, {"spec": model_spec(name).to_dict() | changes})
    with cheap(), pytest.raises(ResiduaError, match=r"^.*small\.safetensors.*$"):
        load_model(path)


def test_a_header_of_144_bytes_keeps_nobody_busy(tmp_path):
    """Within the budget of units, but the file has no tensors for them."""
    spec = json.dumps({"spec": {"family": "resnet", "depths": [MOST_UNITS], "widths": [64]}})
    header = json.dumps({"__metadata__": {"residua": spec}}).encode()
    path = tmp_path / "small.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with (
        cheap(),
        pytest.raises(
            ResiduaError, match=r"small\.safetensors: the weights do not fit custom: it is much larger"
        ),
    ):
        load_model(path)


def test_names_of_other_libraries_cannot_claim_depth(tmp_path):
    model = create_model("cifar_resnet8").state_dict()
    path = tmp_path / "foreign.safetensors"
    foreign = {"conv1.weight": model["stem.conv.weight"]}
    foreign |= {f"layer{i}.conv1.weight": torch.zeros(16, 16, 3, 3) for i in ("1.1999", "2.0")}
    save_tensors(path, foreign, {})
    with cheap(), pytest.raises(ResiduaError):
        load_model(path)


@pytest.mark.parametrize("name", sorted(families()))
def test_a_network_that_is_counted_first_is_drawn_as_ever(monkeypatch, name):
    monkeypatch.setattr("residua.budget._UNCOUNTED", 100)
    spec = model_spec(families()[name].tiny)
    torch.manual_seed(0)
    ours = build(spec).state_dict()
    torch.manual_seed(0)
    plain = family(name).build(spec).state_dict()
    assert all(torch.equal(ours[key], plain[key]) for key in plain)


def test_the_limit_of_a_refused_network_ends_with_it():
    with pytest.raises(UsageError):
        create_model("densenet121", width=10**6)
    torch.nn.Linear(5000, 6000)  # 30 million
    with limit(0, lambda: pytest.fail("called")):
        pass


def test_networks_may_be_built_in_several_threads_each_within_its_own_limit():
    """Sixteen at once, while the main thread holds a limit of nothing."""
    with limit(0, lambda: pytest.fail("called")), ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: build(model_spec("cifar_resnet8")), range(16)))
    assert len(made) == 16


def test_every_named_network_is_within_the_budget():
    for item in families().values():
        for name in item.named:
            model_spec(name)
    assert (
        sum(p.numel() for p in skeleton(model_spec("resnext101_32x8d")).parameters()) < MOST_PARAMETERS / 10
    )


COUNTS = ("depths", "layers", "blocks", "tower", "halvings")


@pytest.mark.parametrize("name", sorted(families()))
def test_any_numbers_are_built_in_time_or_refused(name):
    item = families()[name]
    tiny = model_spec(item.tiny).to_dict()
    hints = typing.get_type_hints(item.spec_class)

    def numbers(field):
        few = st.integers(0, 3) | st.integers(MOST_UNITS + 1, 2**63 - 1)
        any_size = st.sampled_from([1, 2, 4, 8, 16, 64, 10**4, 10**6, 2**31, 2**40, 2**62]) | st.integers(
            -3, 2**63 - 1
        )
        one = few if field in COUNTS else any_size
        value = tiny[field]
        return st.lists(one, min_size=len(value), max_size=len(value)) if isinstance(value, list) else one

    fields = [
        field.name
        for field in dataclasses.fields(item.spec_class)
        if "int" in str(hints[field.name]) and "Literal" not in str(hints[field.name])
        if field.name not in ("schema", "modules")
    ]

    @settings(max_examples=30, deadline=20_000)
    @given(
        st.lists(st.sampled_from(fields), min_size=1, max_size=3, unique=True).flatmap(
            lambda chosen: st.fixed_dictionaries({field: numbers(field) for field in chosen})
        )
    )
    def drawn(changes):
        try:
            skeleton(model_spec(item.tiny, **changes))
        except ResiduaError as error:
            assert "\n" not in str(error)

    drawn()
