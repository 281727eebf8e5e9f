"""The registry of looks: what every look says of itself, and how a list of them is had."""

import subprocess
import sys

import pytest
import torch

from residua.errors import UsageError
from residua.looks import look, look_class
from residua.looks.base import listing
from residua.parts import parts
from residua.registry import build, model_spec

KINDS = {
    *("response", "gradients", "jacobian", "lesion", "reuse", "paths", "unroll", "euler", "landscape"),
    *("explain", "variance", "products", "singular", "training"),
}
# named by committed experiments
OF_EXPERIMENTS = {
    *("branch_weights", "cost", "deepened", "lesions", "path_counts", "probabilities", "published_figure"),
    *("responses", "scalar_growth", "signal", "singular_values", "skipping", "training_step", "transmitted"),
}
# asked by experiments alone
NOT_OFFERED = {
    *("constructed", "fits_identity", "linear_unit", "probabilities", "published_figure", "scalar_growth"),
    *("source_lesions", "unit_time", "zero_branch"),
}


def test_kinds_of_analysis_and_looks_of_experiments_are_one_table():
    assert set(parts("look")) == KINDS | OF_EXPERIMENTS | NOT_OFFERED


@pytest.mark.parametrize("kind", sorted(KINDS | OF_EXPERIMENTS | NOT_OFFERED))
def test_a_look_says_what_it_is(kind):
    found = look_class(kind)
    assert (found.slot, found.kind) == ("look", kind)
    assert found.__doc__
    assert 0 < len(found.about) < 110
    assert found.images >= 0


def test_the_list_has_what_analyze_can_ask():
    listed = {line[2:].split(":")[0] for line in listing().splitlines()}
    assert listed == (KINDS | OF_EXPERIMENTS) - NOT_OFFERED


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(UsageError, match="unknown look 'landscap'; did you mean 'landscape'"):
        look_class("landscap")


def test_a_wrong_option_is_refused_with_the_nearest():
    model = build(model_spec("cifar_resnet8"))
    images, labels = torch.randn(2, 3, 8, 8), torch.tensor([0, 1])
    with pytest.raises(UsageError, match="look 'landscape' has no key 'point'; did you mean 'points'"):
        look("landscape", model, images, labels, point=5)
    with pytest.raises(UsageError, match="points must be a whole number"):
        look("landscape", model, images, labels, points=1.5)


def test_the_network_is_in_the_mode_that_it_was_in_and_of_its_own_precision():
    model = build(model_spec("cifar_resnet8")).train()
    found = look("unroll", model, torch.randn(2, 3, 8, 8), torch.tensor([0, 1]))
    assert found.kind == "unroll"
    assert model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("kind", ["cost", "training_step", "deepened"])
def test_what_needs_a_spec_says_so(kind):
    with pytest.raises(UsageError, match="Sequential has no spec"):
        look(kind, torch.nn.Sequential(torch.nn.Linear(2, 2)), torch.randn(2, 2), torch.tensor([0, 1]))


@pytest.mark.parametrize("name", ["densenet_tiny", "vgg_tiny"])
def test_stages_of_more_than_units_are_not_deepened(name):
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    with pytest.raises(UsageError, match="no stages of units alone"):
        look("deepened", build(model_spec(name)), images, labels)


def test_the_list_imports_no_torch():
    code = "import sys, residua.looks.base as base; base.listing(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
