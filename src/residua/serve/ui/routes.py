"""The routes of the page, beside those of the service. It loads nothing from elsewhere, and its policy says so."""

from __future__ import annotations

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from jinja2 import Environment
from markupsafe import Markup

from residua.errors import ResiduaError
from residua.serve.refused import Refused
from residua.serve.ui.pages import experiment_page, report_page
from residua.serve.ui.shelf import Shelf
from residua.serve.ui.tail import tail

Lang = Literal["en", "zh"]
Names = Annotated[list[str], Query(min_length=1, max_length=12)]  # of runs, side by side

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FIGURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"  # a drawing, whoever made it
_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_KINDS = {".js": "text/javascript", ".css": "text/css", ".LICENSE": "text/plain"}


def add_page(app: FastAPI, shelf: Shelf) -> None:
    """Let an application show the page at ``/``, with what is on a shelf."""
    statics = _statics()

    @app.get("/", include_in_schema=False)
    async def index(request: Request, lang: Lang | None = None) -> Response:
        chosen = lang or ("zh" if request.headers.get("accept-language", "").startswith("zh") else "en")
        return HTMLResponse(_page(chosen), headers={**_HEADERS, "content-security-policy": _POLICY})

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in statics:
            raise Refused(404, f"there is no file {name!r}")
        content, kind = statics[name]
        return Response(content, media_type=kind, headers={**_HEADERS, "cache-control": "no-cache"})

    @app.get("/ui/runs", include_in_schema=False)
    async def runs() -> Response:
        return JSONResponse({"schema": 1, "runs": await asyncio.to_thread(shelf.run_rows)})

    @app.get("/ui/runs/{name}/metrics", include_in_schema=False)
    async def metrics(request: Request, name: str) -> Response:
        run = await asyncio.to_thread(shelf.run, name)
        last = request.headers.get("last-event-id", "")
        offset = int(last) if last.isdecimal() and len(last) < 16 else 0
        stopping = getattr(request.app.state, "stopping", lambda: False)
        events: AsyncIterator[str] = tail(run, offset, stopping)
        return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)

    @app.get("/ui/report", include_in_schema=False)
    async def report(run: Names, lang: Lang = "en") -> Response:
        folders = [await asyncio.to_thread(shelf.run, name) for name in run]
        return await _rendered(report_page, folders, lang)

    @app.get("/ui/experiments", include_in_schema=False)
    async def experiments(lang: Lang = "en") -> Response:
        return JSONResponse(
            {"schema": 1, "experiments": await asyncio.to_thread(shelf.experiment_rows, lang)}
        )

    @app.get("/ui/experiments/{number}", include_in_schema=False)
    async def experiment(number: str, lang: Lang = "en") -> Response:
        return await _rendered(experiment_page, await asyncio.to_thread(shelf.experiment, number), lang)

    @app.get("/ui/analyses", include_in_schema=False)
    async def analyses() -> Response:
        return JSONResponse({"schema": 1, "analyses": await asyncio.to_thread(shelf.analysis_rows)})

    @app.get("/ui/analyses/{name}", include_in_schema=False)
    async def figure(name: str) -> Response:
        path = await asyncio.to_thread(shelf.figure, name)
        headers = {**_HEADERS, "content-security-policy": _FIGURE_POLICY}
        return Response(await asyncio.to_thread(path.read_bytes), media_type="image/svg+xml", headers=headers)


async def _rendered(render: Any, subject: Any, lang: str) -> Response:
    """A page that states its own policy, as every report of residua does."""
    try:
        return HTMLResponse(await asyncio.to_thread(render, subject, lang), headers=_HEADERS)
    except ResiduaError as error:
        raise Refused(422, str(error)) from error


def _statics() -> dict[str, tuple[bytes, str]]:
    """The files of the page by name, with their kinds; the colours and sizes are those of the reports."""
    found = {
        file.name: (file.read_bytes(), _KINDS["." + file.name.rpartition(".")[2]])
        for file in files("residua.serve.ui").joinpath("static").iterdir()
    }
    report = files("residua.report").joinpath("templates/style.css").read_bytes()
    return {**found, "report.css": (report, "text/css")}


@cache
def _page(lang: str) -> str:
    room = files("residua.serve.ui")
    texts = tomllib.loads(room.joinpath(f"messages/{lang}.toml").read_text(encoding="utf-8"))
    template = Environment(autoescape=True).from_string(
        room.joinpath("index.html").read_text(encoding="utf-8")
    )
    data = Markup(json.dumps(texts).replace("<", "\\u003c"))
    return template.render(t=texts, lang=lang, texts=data)
