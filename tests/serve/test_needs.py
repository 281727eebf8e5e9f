import pytest
from tests.serve.conftest import MISSING

from residua.errors import ResiduaError
from residua.serve import needs


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(
        needs, "find_spec", lambda module: None if module in ("uvicorn", "fastapi") else object()
    )
    with pytest.raises(
        ResiduaError, match=r'^serving needs fastapi, uvicorn: pip install "residua\[serve\]"$'
    ):
        needs.need_extra()


def test_the_extra_is_here():
    if MISSING:
        pytest.skip(f"without {', '.join(MISSING)} the other tests of this folder are left out")
    needs.need_extra()
