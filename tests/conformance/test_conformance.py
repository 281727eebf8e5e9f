"""Every model that is registered, and the tiny member of every family, held to the conformance suite."""

import re

import pytest

from residua.machine import compiler
from residua.registry import families, list_models, model_spec
from residua.testing import CONVENTIONS, check_model
from residua.testing.heavy import compiles_with

TINY = [family.tiny for family in families().values()]
DEEPEST = re.compile(r"\w+1(001|202)\w*")  # some ten seconds each: one of them is enough for every day
EVERY_DAY = "cifar_resnet1202"


def _members():
    for name in list_models():
        slow = DEEPEST.fullmatch(name) and name != EVERY_DAY
        if name not in TINY:
            yield pytest.param(name, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("name", _members())
def test_model(name):
    assert check_model(name)


@pytest.mark.parametrize("name", TINY)
def test_tiny_member(name):
    assert len(check_model(name)) >= 12


@pytest.mark.parametrize(
    "name",
    [
        "cifar_plain20",
        "cifar_preact_resnet20",
        "cifar_resnet20_stochastic_depth",
        pytest.param("resnet18", marks=pytest.mark.slow),
    ],
)
def test_conventions(name):
    assert check_model(name, checks=CONVENTIONS) == [check.name for check in CONVENTIONS]


@pytest.mark.slow
@pytest.mark.skipif(compiler().problem is not None, reason="no C++ compiler")
@pytest.mark.parametrize("name", ["cifar_resnet8", "densenet_tiny", "vit_digits"])
def test_inductor(name):
    compiles_with(model_spec(name), "inductor")
