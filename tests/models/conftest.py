"""What the tests of models share: the peers."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def peers():
    """The module that imports torchvision and timm, or a skip."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).resolve().parents[2]))
        from benchmarks import peers

        try:
            peers.import_timm()
        except Exception as error:
            pytest.skip(f"the peers cannot be imported: {type(error).__name__}: {error}")
        yield peers
