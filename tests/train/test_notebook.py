"""The bar in a notebook's cell: when it is chosen, what it draws, and that it is one display."""

import sys
from types import SimpleNamespace

import pytest

from residua.train import progress
from residua.train.notebook import Cell


class Displays:
    def __init__(self):
        self.first, self.drawn = [], []

    def display(self, shown, *, display_id):
        assert display_id
        self.first.append(shown)
        return SimpleNamespace(update=lambda shown: self.drawn.append((shown._repr_html_(), repr(shown))))


@pytest.fixture
def displays(monkeypatch):
    kernel = SimpleNamespace(config={"IPKernelApp": {}})
    made = Displays()
    ipython = SimpleNamespace(get_ipython=lambda: kernel)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=made.display))
    return made


def test_a_kernel_gets_a_bar_and_ipython_on_a_terminal_does_not(displays, monkeypatch):
    assert isinstance(progress.make_progress(True), Cell)
    assert type(progress.make_progress(False)) is progress.Progress
    terminal = SimpleNamespace(get_ipython=lambda: SimpleNamespace(config={}))
    monkeypatch.setitem(sys.modules, "IPython", terminal)
    assert isinstance(progress.make_progress(True), progress.Lines)


def test_it_is_one_display_that_is_redrawn(displays):
    bar = progress.make_progress(True)
    bar.note("weights: <all> of them")
    bar.start(0, 40, 20)
    bar.epoch({"epoch": 0, "step": 20, "train_loss": 1.25, "val_accuracy": 0.5})
    bar.step(21)
    bar.stop()
    assert len(displays.first) == 1
    html, text = displays.drawn[-1]
    assert '<progress value="20" max="40"' in html or '<progress value="21" max="40"' in html
    assert "epoch 1  loss 1.250  val 0.500" in html
    assert "weights: &lt;all&gt; of them" in html
    assert text.endswith("weights: <all> of them")


def test_a_bar_that_was_never_started_draws_nothing(displays):
    progress.make_progress(True).stop()
    assert not displays.first
