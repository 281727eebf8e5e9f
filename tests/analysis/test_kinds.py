import inspect
import subprocess
import sys

import pytest

from residua.analysis.kinds import KINDS, find_kind
from residua.errors import UsageError

ISSUE = {
    *(
        "response",
        "gradients",
        "jacobian",
        "lesion",
        "reuse",
        "paths",
        "unroll",
        "euler",
        "landscape",
        "explain",
    ),
    "variance",
    "products",
    "singular",
    "training",
}


def test_every_kind_of_the_issue_is_there():
    assert set(KINDS) == ISSUE


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_a_function_of_network_images_and_labels(name):
    kind = KINDS[name]
    function = kind.load()
    parameters = list(inspect.signature(function).parameters.values())
    assert [p.name for p in parameters[:3]] == ["model", "images", "labels"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[3:])
    assert function.__doc__
    assert kind.about
    assert kind.images > 0


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(UsageError, match="unknown kind of analysis 'lesions'; did you mean 'lesion'"):
        find_kind("lesions")


def test_the_table_imports_no_torch():
    code = "import sys, residua.analysis.kinds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
