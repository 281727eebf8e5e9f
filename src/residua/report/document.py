"""The frame of every page: one HTML file that loads nothing from anywhere, and says so in its policy."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from residua.report.html import Html, element
from residua.report.language import translator

Section = tuple[str, Html | None]  # the key of its title, and its contents; None: there is nothing to show

# Adds a button to every command; without it, a click on the command selects the whole of it.
SCRIPT = """\
for (const box of document.querySelectorAll(".command")) {
  const button = document.createElement("button"), words = document.body.dataset;
  button.textContent = words.copy;
  button.onclick = () => navigator.clipboard.writeText(box.querySelector("pre").textContent)
    .then(() => { button.textContent = words.copied; });
  box.append(button);
}"""


def document(title: str, top: Html, sections: Sequence[Section], lang: str, *, footer: str = "footer") -> str:
    """The page: its title, what stands at the top, and its sections with links to each; ``footer`` is a key."""
    t = translator(lang)
    shown = [(key, content) for key, content in sections if content is not None]
    links = (element("a", t(key), href=f"#{key}") for key, _ in shown)
    bodies = (element("section", element("h2", t(key)), content, id=key) for key, content in shown)
    style = files("residua.report").joinpath("style.css").read_text(encoding="utf-8")
    # Even a text that slipped through the escaping could load nothing and run nothing.
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(style)),
    )
    body = element(
        "body",
        element("header", element("h1", title), top, element("nav", *links, aria_label=t("contents"))),
        element("main", *bodies),
        element("footer", t(footer)),
        element("script", Html(SCRIPT)),
        data_copy=t("copy"),
        data_copied=t("copied"),
    )
    return "<!doctype html>\n" + element("html", head, body, lang={"en": "en", "zh": "zh-Hans"}[lang]) + "\n"
