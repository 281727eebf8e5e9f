"""What the tests of looks share: the digits."""

from __future__ import annotations

from typing import Any

import pytest

from residua.data import load_data
from residua.spec import DataSpec


@pytest.fixture(scope="session")
def digits() -> Any:
    return load_data(DataSpec(val_fraction=0.0))
