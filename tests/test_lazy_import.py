import importlib
import subprocess
import sys

import pytest

# torch is a third of a second to a second; whatever only lists, helps or completes must not wait for it
LIGHT = {
    "the package": "import residua",
    "its directory": "import residua; dir(residua); residua.__version__; residua.__all__",
    "model names": "from residua.registry import list_models, model_spec; list_models(); model_spec('cifar_resnet26')",
    "published figures": "from residua.published import published; published().table('he2015.t6')",
    "shell completion": "from residua.cli.completion import completion; completion('bash')",
    "help": "import sys; from residua.cli.main import make_app; make_app()(['--help'], result_action='return_value')",
    "the list of networks": "from residua.cli.models import models; models(); models(json=True)",
    "recipes": "from residua.train.recipes import RECIPES",
    "the list of recipes": "from residua.cli.recipes import recipes; recipes()",
    "verbs": "import residua.cli.models, residua.cli.describe",
    "errors": "import residua; residua.UsageError; residua.list_models('*')",
}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_torch_is_not_imported_by(code):
    check = f"{code}\nimport sys; sys.exit('torch' in sys.modules and 'torch was imported')"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there():
    residua = importlib.import_module("residua")
    assert sorted(residua._PUBLIC) == sorted(residua.__all__)
    for name in residua.__all__:
        assert getattr(residua, name).__name__ == name
        assert getattr(residua, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'residua' has no attribute 'crate_model'"):
        importlib.import_module("residua").crate_model  # noqa: B018


def test_importing_a_room_hides_no_public_name():
    rooms = "residua.description, residua.cli.describe, residua.evaluation, residua.train, residua.loading"
    code = (
        f"import {rooms}, residua\nfor name in residua.__all__: assert callable(getattr(residua, name)), name"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_needs_an_extra_says_which_and_no_star_import_asks_for_it(monkeypatch):
    residua = importlib.import_module("residua")
    assert not set(residua._WITH_EXTRA) & set(residua.__all__)
    assert set(residua._WITH_EXTRA) <= set(dir(residua))
    monkeypatch.setitem(sys.modules, "sklearn", None)  # as if it were not installed
    for name in ("residua.estimators", *(n for n in sys.modules if n.startswith("residua.estimators."))):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in residua._WITH_EXTRA:
        monkeypatch.delitem(residua.__dict__, name, raising=False)
        with pytest.raises(ImportError, match=r"pip install 'residua\[sklearn\]'"):
            getattr(residua, name)


def test_completion_in_python_shows_only_the_public_names():
    residua = importlib.import_module("residua")
    importlib.import_module("residua.spec")
    assert dir(residua) == sorted(["__version__", *residua.__all__, *residua._WITH_EXTRA])
