"""What version 0.1 called otherwise is found, or it is said where it went."""

import importlib
import sys

import pytest

from residua.moved import MODULES, NAMES


@pytest.mark.parametrize(("old", "new"), MODULES.items())
def test_an_old_module_leads_to_the_new_one_with_a_warning(old, new):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is {new} now"):
        module = importlib.import_module(old)
    public = [name for name in vars(importlib.import_module(new)) if name[0] != "_"]
    assert public
    assert all(getattr(module, name) is getattr(importlib.import_module(new), name) for name in public)


def test_names_of_the_readme_of_0_1_are_there():
    from residua.models.densenet import DenseNetSpec  # noqa: F401
    from residua.models.resnest import ResNeStSpec  # noqa: F401
    from residua.models.resnet import ResNetSpec, build, cifar_spec  # noqa: F401
    from residua.models.resnet3d import ResNet3dSpec  # noqa: F401
    from residua.registry import Family, families, list_models, model_spec, register  # noqa: F401
    from residua.testing import check_model  # noqa: F401

    with pytest.warns(DeprecationWarning):
        sys.modules.pop("residua.models.weights", None)
        from residua.models.weights import save_model
    assert save_model is importlib.import_module("residua").save_model


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in NAMES for name in NAMES[module]])
def test_a_name_that_is_gone_says_what_does_its_work(module, name):
    with pytest.raises(ImportError, match=r"was version 0\.1's; now it is residua"):
        getattr(importlib.import_module(module), name)
    with pytest.raises(AttributeError, match="has no attribute"):
        _ = importlib.import_module(module).nothing
