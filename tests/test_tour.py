"""docs/tour.ipynb runs as it stands, and was committed with what it shows."""

import os
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs/tour.ipynb"

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")


def _shown(cell):
    """The kinds of what a cell shows."""
    return {kind for output in cell.outputs for kind in getattr(output, "data", {})}


def test_it_was_committed_with_its_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "<progress" in text  # the bar of its training
    assert "/tmp/" not in text  # no path of the machine that it ran on
    assert "/root/" not in text


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    client = pytest.importorskip("nbclient", reason="nbclient is not installed").NotebookClient
    for needed in ("ipykernel", "sklearn"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    before = [_shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    client(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": os.fspath(tmp_path)}}
    ).execute()
    after = [_shown(cell) for cell in notebook.cells if cell.cell_type == "code"]
    assert [*map(bool, after)] == [*map(bool, before)]
