"""The page in a headless Chromium: it works, complains of nothing, and is for everybody."""

import json
import shutil
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

import pytest
import uvicorn
from benchmarks.browser import browser, browser_here
from tests.report.conftest import make_run  # noqa: F401 - a fixture
from tests.serve.instant import CLASSES, InstantModels, InstantPool, png

from residua.serve.app import make_app
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.protocol import patient
from residua.serve.server import address_of, bind
from residua.serve.ui.routes import add_page
from residua.serve.ui.shelf import Shelf

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not browser_here(), reason="needs chromium and chromedriver"),
]
VIEWS = ("runs", "look", "papers", "analyses")


class AnyName(InstantModels):
    async def pool(self, name):
        return InstantPool()


@cache
def axe():
    """The source of axe-core, from npm; without npm, or what it asks, None."""
    if not shutil.which("npm"):
        return None
    folder = Path(tempfile.mkdtemp())
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-save", "--prefix", folder, "axe-core@4"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    except (OSError, subprocess.SubprocessError):
        return None


@pytest.fixture
def page(tmp_path, make_run, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    make_run("a", parent=tmp_path / "runs")
    make_run("b", parent=tmp_path / "runs", complete=False, epochs=3)
    limits = Limits()
    app = make_app(AnyName(), limits=limits, metrics=Metrics())
    add_page(app, Shelf(runs=tmp_path / "runs", analyses=tmp_path / "analysis"))
    config = uvicorn.Config(app, http=patient(limits), ws="none", lifespan="off", log_config=None)
    server, opened = uvicorn.Server(config), bind("127.0.0.1", 0)
    app.state.stopping = lambda: server.should_exit
    thread = threading.Thread(target=server.run, args=([opened],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with browser() as shown:
        yield shown, address_of(opened)
    server.should_exit = True
    thread.join()


def see(shown, address, view, lang="en"):
    shown.open("about:blank")
    shown.open(f"{address}/?lang={lang}#{view}")
    shown.until(f"!document.getElementById('view-{view}').hidden")
    shown.until(f"document.getElementById('{'network' if view == 'look' else view}').children.length")


def test_every_view_is_clean_in_both_languages_light_and_dark_and_on_a_telephone(page):
    shown, address = page
    source = axe()
    for lang, dark, width in (("en", False, 1200), ("zh", True, 390)):
        shown.size(width, 800)
        shown.dark(dark)
        for view in VIEWS:
            see(shown, address, view, lang)
            assert shown.run("return document.documentElement.scrollWidth") <= width, (view, width)
            if source:
                shown.run(source)
                found = shown.run("return axe.run(document)")["violations"]
                assert not found, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
            assert shown.complaints() == []
    if not source:
        pytest.skip("all but the check by axe-core, which npm does not give here")


def test_curves_grow_while_a_network_trains(page, tmp_path):
    shown, address = page
    see(shown, address, "runs/b".partition("/")[0])
    shown.open(f"{address}/?lang=en#runs/b")
    shown.until("document.querySelectorAll('.uplot').length > 1")
    rows = "document.querySelectorAll('#curves-table tbody tr').length"
    assert shown.until(rows) == 3
    line = {"event": "epoch", "epoch": 3, "step": 44, "lr": 0.1, "train_loss": 0.5, "train_accuracy": 0.5}
    with (tmp_path / "runs" / "b" / "metrics.jsonl").open("a") as log:
        log.write(json.dumps({**line, "val_loss": 0.4, "val_accuracy": 0.6}) + "\n")
    shown.until(f"{rows} === 4")


def test_an_image_is_shown_to_a_network_and_told_to_a_screen_reader(page, tmp_path):
    shown, address = page
    (tmp_path / "white.png").write_bytes(png())
    see(shown, address, "look")
    shown.choose("#files", [tmp_path / "white.png"])
    assert shown.until("document.querySelector('.sides li')?.innerText").split()[0] in CLASSES
    assert "light (100.0 %)" in shown.until(
        "document.getElementById('said').textContent.includes(' ms') && said.textContent"
    )
    assert "Where" in shown.run("return document.querySelector('.sides canvas').getAttribute('aria-label')")


def test_it_is_used_by_keyboard_alone(page):
    shown, address = page
    shown.open(address)
    shown.until("document.getElementById('runs').children.length")
    shown.press(
        "\ue004\ue004\ue004\ue007"
    )  # Tab, Tab, Tab, Enter: past the link to the content, to the second view
    shown.until("location.hash === '#look'")
    shown.until("!document.getElementById('view-look').hidden")
