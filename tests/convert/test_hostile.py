"""Checkpoints of every layout, damaged: they are read, or refused in one line."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from residua.analysis.skeleton import skeleton
from residua.convert.detect import recognise
from residua.convert.hub import TABLE
from residua.convert.layouts import LAYOUTS
from residua.convert.write import to_library
from residua.errors import ResiduaError
from residua.registry import build, model_spec
from residua.weights.model_files import Weights

# a small network for every layout that writes one
SMALL = {
    ("akamaster", "resnet"): ("cifar_resnet8", {"shortcut": "A-split"}),
    ("chenyaofo", "resnet"): ("cifar_resnet8", {"shortcut": "B"}),
    ("kuangliu", "resnet"): ("resnet18", {"stem": "cifar", "depths": [1, 1, 1, 1]}),
    ("torchvision", "resnet"): ("resnet18", {"depths": [1, 1, 1, 1]}),
    ("torchvision", "densenet"): ("densenet121", {"depths": [1, 2, 1, 1]}),
    ("torchvision", "resnet3d"): ("r3d_18", {"depths": [1, 1, 1, 1]}),
    ("torchvision", "googlenet"): ("googlenet", {}),
    ("torchvision", "vit"): ("vit_ti_32", {"layers": 1, "image_size": 64}),
    ("timm", "resnest"): ("resnest14", {}),
    ("timm", "resnet"): ("preact_resnet50", {"stem": "imagenet-pool-first", "depths": [1, 2, 1, 1]}),
    ("timm", "convnext"): ("convnext_tiny", {"depths": [1, 1, 1, 1], "widths": [8, 16, 24, 32]}),
    ("torchvision", "convnext"): ("convnext_tiny", {"depths": [1, 1, 1, 1], "widths": [8, 16, 24, 32]}),
    ("timm", "seresnet"): ("seresnet18", {"depths": [1, 1, 1, 1]}),
    ("timm", "vit"): ("vit_ti_32", {"layers": 1, "image_size": 64}),
}


@pytest.fixture(scope="module")
def states():
    made = {}
    for (library, family), (name, changes) in SMALL.items():
        model = build(model_spec(name, **changes))
        made[library, family] = to_library(Weights(model.state_dict(), model.spec), library)
    return made


def test_every_layout_has_its_example():
    kinds = {(one.library, one.families[0]) for one in LAYOUTS if not one.read_only}
    # VGGs are too large to try at random, timm has torchvision's DenseNets
    assert kinds - set(SMALL) == {("torchvision", "vgg"), ("timm", "densenet")}


@pytest.mark.parametrize("kind", SMALL)
def test_every_layout_reads_what_it_writes(states, kind):
    weights = recognise(states[kind])
    name, changes = SMALL[kind]
    assert weights.spec.change(name=name) == model_spec(name, **changes)


SHAPES = [(), (0,), (3,), (0, 3), (5, 5), (2, 2, 0, 0), (4, 3, 3, 3), (1, 7, 192), (2, 2, 2, 2, 2)]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(SMALL)), data=st.data())
def test_damaged_checkpoints_are_read_or_refused_in_one_line(states, kind, data):
    state = dict(states[kind])
    names = [name for name in state if not name.endswith("num_batches_tracked")]
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(names))
        change = data.draw(st.sampled_from(["drop", "shape", "rename"]))
        tensor = state.pop(name, torch.zeros(3))
        if change == "shape":
            state[name] = torch.zeros(data.draw(st.sampled_from(SHAPES)))
        elif change == "rename":
            state[data.draw(st.sampled_from(names)).replace("1", "7")] = tensor
    try:
        recognise(state)
    except ResiduaError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000


@settings(max_examples=40)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "stacklayers.0.convlayers.0.weight",
                "stacklayers.0.0.convlayers.1.bias",
                "stacklayers.0.convlayers.1.weight",
                "stacklayers.0.x.weight",
                "stem.weight",
                "stem.bias",
                "norm.weight",
                "norm.bias",
                "fc.weight",
            ]
        ),
        st.sampled_from(SHAPES).map(torch.zeros),
        min_size=1,
    )
)
def test_scraps_of_the_blog_layout_are_one_line(state):
    with pytest.raises(ResiduaError) as caught:
        recognise(state)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(TABLE["torchvision"]))
def test_every_published_network_goes_to_torchvision_and_is_named_when_it_comes_back(name):
    spec = model_spec(name)
    there = to_library(Weights(skeleton(spec).state_dict(), spec), "torchvision")  # shapes without numbers
    assert recognise(there).spec == spec


def test_names_of_old_files(states):
    densenet = {
        name.replace("norm1", "norm.1").replace("conv2", "conv.2"): one
        for name, one in states["torchvision", "densenet"].items()
    }
    assert any("denselayer1.norm.1.weight" in name for name in densenet)
    assert recognise(densenet).spec.depths == (1, 2, 1, 1)
    vit = {
        name.replace("mlp.0", "mlp.linear_1").replace("mlp.3", "mlp.linear_2"): one
        for name, one in states["torchvision", "vit"].items()
    }
    assert recognise(vit).spec.layers == 1


def test_auxiliary_classifiers_are_left_out(states):
    state = {**states["torchvision", "googlenet"], "aux1.fc1.weight": torch.zeros(3, 3)}
    assert recognise(state).spec.name == "googlenet"


NOT_HERE = [
    ("resnetv2_18", "first shortcut starts before the first norm"),
    ("resnetv2_50x1_bit", "group norms"),
    ("resnet50d", "of no network known here"),
    ("vit_base_patch16_clip_224", "of no network known here"),
]


@pytest.mark.parametrize(("name", "reason"), NOT_HERE)
def test_networks_of_timm_that_are_not_expressible_are_refused_by_reason(peers, name, reason):
    with torch.device("meta"):
        state = peers["timm"](name).state_dict()
    with pytest.raises(ResiduaError, match=reason):
        recognise(state)
