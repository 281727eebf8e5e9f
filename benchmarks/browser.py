"""A headless Chromium, driven through chromedriver (W3C WebDriver): for pictures and tests of the page."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the name that the protocol gives to an element
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)


class Browser:
    """One session; ``open`` a page, ask it with ``run``, look at it with ``picture``."""

    def __init__(self, driver: str, switches: tuple[str, ...] = ()) -> None:
        self._http = httpx.Client(base_url=driver, timeout=120)
        options = {"args": [*_SWITCHES, *switches]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        self._session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def open(self, address: str) -> None:
        """Go to an address and wait until it is loaded."""
        self._tell("/url", {"url": address})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns; of a promise what it comes to."""
        return self._tell("/execute/sync", {"script": script, "args": list(arguments)})

    def until(self, script: str, seconds: float = 60) -> Any:
        """Wait for an expression to be true, and return it. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not (found := self.run(f"return {script}")):
            if time.monotonic() > end:
                raise TimeoutError(f"{script}: {self.run('return document.body.innerText')}")
            time.sleep(0.1)
        return found

    def choose(self, selector: str, files: list[Path]) -> None:
        """Choose files in a field for them."""
        found = self._tell("/element", {"using": "css selector", "value": selector})[_ELEMENT]
        self._tell(f"/element/{found}/value", {"text": "\n".join(map(str, files))})

    def press(self, keys: str) -> None:
        """Press keys, one after another."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._tell("/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def size(self, width: int, height: int) -> None:
        """The size of what is shown, in CSS pixels, as on a telephone if it is narrow."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", metrics)

    def dark(self, dark: bool) -> None:
        """Whether the reader likes it dark."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", {"features": [feature]})

    def command(self, name: str, parameters: dict[str, Any]) -> Any:
        """A command of Chromium's own protocol."""
        return self._tell("/goog/cdp/execute", {"cmd": name, "params": parameters})

    def picture(self) -> bytes:
        """A PNG of what is shown."""
        return base64.b64decode(self._ask("GET", f"/session/{self._session}/screenshot"))

    def complaints(self) -> list[str]:
        """What the browser has complained about since it was last asked: errors of scripts, what a policy forbade."""
        lines = self._tell("/se/log", {"type": "browser"})
        return [line["message"] for line in lines if line["level"] in ("SEVERE", "WARNING")]

    def close(self) -> None:
        """End the session."""
        self._ask("DELETE", f"/session/{self._session}")
        self._http.close()

    def _tell(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", f"/session/{self._session}{path}", body)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, path, json=body).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise RuntimeError(f"{answer['error']}: {answer['message'].splitlines()[0]}")
        return answer


def browser_here() -> bool:
    """Whether there is a Chromium and its driver."""
    return bool(shutil.which("chromedriver") and (shutil.which("chromium") or shutil.which("google-chrome")))


@contextmanager
def browser(*switches: str) -> Iterator[Browser]:
    """A browser of its own, which is gone afterwards."""
    process = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        port = next(line.split()[-1].rstrip(".") for line in process.stdout if "successfully" in line)
        opened = Browser(f"http://127.0.0.1:{port}", switches)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
