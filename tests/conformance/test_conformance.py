"""Every model that is registered, and the tiny member of every family, held to the conformance suite."""

import pytest

from residua.machine import compiler
from residua.registry import families, list_models, model_spec
from residua.testing import CONVENTIONS, check_model
from residua.testing.heavy import compiles_with

TINY = [family.tiny for family in families().values()]


@pytest.mark.parametrize("name", [name for name in list_models() if name not in TINY])
def test_model(name):
    assert check_model(name)


@pytest.mark.parametrize("name", TINY)
def test_tiny_member(name):
    assert len(check_model(name)) >= 12


@pytest.mark.parametrize(
    "name", ["cifar_plain20", "cifar_preact_resnet20", "cifar_resnet20_stochastic_depth", "resnet18"]
)
def test_conventions(name):
    assert check_model(name, checks=CONVENTIONS) == [check.name for check in CONVENTIONS]


@pytest.mark.slow
@pytest.mark.skipif(compiler().problem is not None, reason="no C++ compiler")
@pytest.mark.parametrize("name", ["cifar_resnet8", "densenet_tiny", "vit_digits"])
def test_inductor(name):
    compiles_with(model_spec(name), "inductor")
