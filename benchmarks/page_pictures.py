"""Pictures of the page for the README: a run of the digits with its curves, and a network that is asked.

    python -m benchmarks.page_pictures [RUNS] [--run NAME] [--images FILE ...]

Without RUNS it trains the digits for some epochs and exports them, so that anybody gets the same pictures.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.browser import Browser, browser
from residua.data.sources.digits import Digits
from residua.spec import DataSpec

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MOST = 300_000  # bytes of a picture


def main() -> None:
    """Make them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="?", type=Path)
    parser.add_argument("--run", default="digits")
    parser.add_argument("--images", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=IMAGES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs, images = asked.runs, asked.images
        if runs is None:
            runs = Path(folder, "runs")
            _residua("train", "--epochs", "15", "--run-dir", runs / "digits")
            for precision in ("fp32", "int8"):
                _residua("export", runs / "digits", "--format", "onnx", "--precision", precision)
        images = images or _digits(Path(folder))
        command = [sys.executable, "-m", "residua", "ui", str(runs), "--port", "0"]
        page = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert page.stdout
        try:
            address = page.stdout.readline().split()[-1]
            with browser() as shown:
                _take(shown, address, asked.run, images, asked.out)
        finally:
            page.terminate()
            page.wait()
            page.stdout.close()


def _take(shown: Browser, address: str, run: str, images: list[Path], out: Path) -> None:
    for name, lang, dark, width, height in (
        ("ui-runs", "en", False, 1200, 860),
        ("ui-runs-zh", "zh", False, 1200, 860),
        ("ui-runs-dark", "en", True, 390, 844),
    ):
        shown.size(width, height)
        shown.dark(dark)
        shown.open("about:blank")
        shown.open(f"{address}/?lang={lang}#runs/{run}")
        shown.until("document.querySelectorAll('.uplot').length > 1")
        _store(shown, out / f"{name}.png")
    shown.dark(False)
    for name, lang in (("ui-look", "en"), ("ui-look-zh", "zh")):
        shown.size(1200, 860)
        shown.open("about:blank")
        shown.open(f"{address}/?lang={lang}#look")
        shown.until(f"[...document.querySelectorAll('#network option')].some((one) => one.value === {run!r})")
        shown.run(f"document.getElementById('network').value = {run!r}")
        shown.choose("#files", images)
        shown.until("document.querySelector('.sides ol') && !document.querySelector('[aria-busy]')", 300)
        _store(shown, out / f"{name}.png")


def _store(shown: Browser, path: Path) -> None:
    content = shown.picture()
    if len(content) > MOST:
        raise SystemExit(f"{path} would have {len(content):,} bytes, more than {MOST:,}")
    path.write_bytes(content)
    print(path)


def _digits(folder: Path) -> list[Path]:
    """Two test images of the digits as files."""
    data = Digits().load(DataSpec())
    pixels, labels = data.test.read(np.array([3, 5]))
    paths = [folder / f"digit-{label}.png" for label in labels.tolist()]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image[0].numpy()).save(path)
    return paths


def _residua(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "residua", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
