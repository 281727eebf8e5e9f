"""What the tests of other libraries share."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def torchvision():
    """Import torchvision, which some of the libraries do too, in the way that works beside a CPU-only torch."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(ImportError):  # it may be missing
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
        from benchmarks.peers import import_torchvision

        import_torchvision()
