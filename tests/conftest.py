"""What every test gets: one torch thread, a home of its own, and the real images if they are there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Before torch is imported by anything: OpenMP reads these once.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", MPLBACKEND="Agg")

settings.register_profile("residua", deadline=None, print_blob=True)  # workers share cores: no time limit
settings.load_profile("residua")

ROOT = Path(__file__).resolve().parents[1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The kind of processor that the tests ran on, beside how they ended: results differ between instruction sets."""
    import torch

    terminalreporter.write_line(f"instruction set: {torch.backends.cpu.get_cpu_capability()}")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real images and published checkpoints beside the checkout, or the test is skipped."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the real images of ../shared/data beside {ROOT.name}, which are not here")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or leaves anything in the user's home or caches."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "USERPROFILE"):
            patch.setenv(name, str(home))
        for name in (
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "TORCH_HOME",
            "TORCHINDUCTOR_CACHE_DIR",
        ):
            patch.setenv(name, str(home / name.lower()))
        for name in [name for name in os.environ if name.startswith("RESIDUA_")]:
            patch.delenv(name)
        yield


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers, and the files that it runs, are forgotten after it."""
    from residua import parts, user_files

    known = {
        slot: dict(parts.parts(slot)) for slot in parts.ROOMS
    }  # residua's own, before they are put aside
    monkeypatch.setattr(parts, "_parts", known)
    monkeypatch.setattr(user_files, "_ran", {})


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """What torch draws in a test is the same every time, alone or after any other."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A test that sets the number of threads does not set it for the next one."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
