"""The HTTP service: its routes. What stands before them is in `guards`, what answers in `models` and `pool`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from residua import __version__
from residua.serve.batching import Options
from residua.serve.guards import Bodies, Guard, Observed, host_check, refusal, token_check
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics
from residua.serve.models import Models
from residua.serve.refused import Refused
from residua.serve.requests import Sent, images_of
from residua.serve.schemas import PREDICT_BODY, Health, ModelList, Predictions, problems

# What any route may answer, whatever it is asked
_ANY = problems(400, 401, 403, 408, 413, 421, 429, 500)
MOST_CLASSES = 1000


def make_app(
    models: Models,
    *,
    limits: Limits,
    metrics: Metrics,
    token: str | None = None,
    hosts: tuple[str, ...] | None = None,
) -> FastAPI:
    """The application; with a ``token`` for who knows it, and answering to the names ``hosts`` alone."""
    app = FastAPI(
        title="residua",
        version=__version__,
        description="Trained residual networks: what is on an image.",
        docs_url=None,  # the usual pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses=_ANY,
    )
    _refusals(app)
    _routes(app, models, limits, metrics)
    app.add_middleware(Bodies, limits=limits)  # the last one added stands first
    if token is not None:
        app.add_middleware(Guard, check=token_check(token))
    if hosts is not None:
        app.add_middleware(Guard, check=host_check(hosts))
    app.add_middleware(Observed, counted=metrics.answered)
    return app


def _refusals(app: FastAPI) -> None:
    """Every refusal is a JSON object that says why."""

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> Response:
        return refusal(error)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        response = refusal(Refused(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})  # which methods are allowed
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return refusal(Refused(422, said))

    @app.exception_handler(Exception)
    async def fault(_: Request, error: Exception) -> Response:
        return refusal(Refused(500, "a fault of the server: its log says more"))


def _routes(app: FastAPI, models: Models, limits: Limits, metrics: Metrics) -> None:
    @app.post(
        "/v1/predict",
        responses={200: {"model": Predictions}, **problems(404, 415, 422, 503, 504)},
        openapi_extra=PREDICT_BODY,
        summary="Say what is on images",
    )
    async def predict(
        request: Request,
        model: Annotated[str | None, Query(description="a name of /v1/models; the first by default")] = None,
        top_k: Annotated[int, Query(ge=1, le=MOST_CLASSES, description="how many classes to name")] = 5,
        cam: Annotated[bool, Query(description="also where the network looked")] = False,
        timeout_ms: Annotated[int | None, Query(ge=1, description="for the answer")] = None,
    ) -> Response:
        sent = await images_of(request, limits.images)
        seconds = min(limits.seconds, (timeout_ms or float("inf")) / 1000)
        start = time.perf_counter()
        pool = await models.pool(model)
        answers = await pool.answer([one.content for one in sent], Options(top_k=top_k, cam=cam), seconds)
        told = _told(sent, answers)
        return JSONResponse(
            {
                "schema": 1,
                "model": pool.name,
                "version": pool.facts.version if pool.facts else None,
                "milliseconds": round(1000 * (time.perf_counter() - start), 3),
                **(told[0] if len(told) == 1 else {}),
                "predictions": told,
            }
        )

    @app.get("/v1/models", responses={200: {"model": ModelList}}, summary="The models that can be asked")
    async def listed() -> Response:
        return JSONResponse({"schema": 1, "models": models.table()})

    @app.get("/healthz", responses={200: {"model": Health}}, summary="Whether the server runs")
    async def health() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get(
        "/readyz",
        responses={200: {"model": Health}, 503: {"model": Health}},
        summary="Whether every model can answer",
    )
    async def ready() -> Response:
        missing = models.waiting_for
        return JSONResponse(
            {"status": "waiting" if missing else "ready", "waiting_for": missing}, 503 if missing else 200
        )

    @app.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, summary="Figures for Prometheus")
    async def figures() -> Response:
        return Response(metrics.page(), media_type="text/plain; version=0.0.4")


def _told(sent: Sequence[Sent], answers: Sequence[dict[str, Any] | Refused]) -> list[dict[str, Any]]:
    """An answer for each image; what was refused among others says so, and alone it is the whole request's refusal."""
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    if len(refused) == len(answers):
        raise refused[0]
    return [
        {"name": one.name, **({"status": a.status, "error": a.reason} if isinstance(a, Refused) else a)}
        for one, a in zip(sent, answers, strict=True)
    ]
