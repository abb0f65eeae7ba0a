"""What the service says of itself: `/`, `/healthz`, `/readyz`, `/metrics`, `/v1/models`, `/openapi.json`, `/docs`."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from cabstand import __version__
from cabstand.api import openapi
from cabstand.api.guard import CONTENT_POLICY
from cabstand.api.model import Model
from cabstand.api.responses import Health, Json, Models, Ready, Root, ServedProblem, json_response
from cabstand.api.service import Service
from cabstand.api.store import Served


def register(app: FastAPI, service: Service) -> None:
    """Add the routes to the application."""
    store = service.store

    @app.head("/", include_in_schema=False)
    @app.get("/", tags=["service"], summary="Name, version and links", responses=openapi.answer(Root))
    async def root(_: Request) -> Response:
        links = {"docs": "/docs", "openapi": "/openapi.json", "models": "/v1/models", "ready": "/readyz"}
        return json_response(Root(name="cabstand", version=__version__, links=links))

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["service"], summary="Alive", responses=openapi.answer(Health))
    async def healthz(_: Request) -> Response:
        return json_response(Health(status="alive"))

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", tags=["service"], summary="Ready to answer", responses=openapi.answer(Ready, 503))
    async def readyz(_: Request) -> Response:
        store.require_ready()
        versions = {name: one.champion.version for name, one in store.served.items()}
        return json_response(Ready(status="ready", versions=versions, faults=store.faults))

    @app.get(
        "/metrics",
        tags=["service"],
        summary="Figures for Prometheus",
        response_class=PlainTextResponse,
        responses={200: {"description": "Prometheus text."}, "default": openapi.PROBLEM},
    )
    async def metrics(_: Request) -> Response:
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models", tags=["models"], summary="What serves", responses=openapi.answer(Models))
    async def models(_: Request) -> Response:
        return json_response(Models(models=[_problem(one) for _, one in sorted(store.served.items())]))

    @app.get("/openapi.json", include_in_schema=False)
    async def document(_: Request) -> Response:
        return json_response(app.openapi())

    @app.get("/docs", include_in_schema=False)
    async def docs(_: Request) -> HTMLResponse:
        page, policy = docs_page()
        return HTMLResponse(page, headers={CONTENT_POLICY[0].decode(): policy})


def _problem(served: Served) -> ServedProblem:
    return ServedProblem(
        problem=served.problem.name,
        description=served.problem.description,
        sequence=served.pointer.sequence,
        share=served.pointer.share,
        champion=_bundle(served.champion),
        challenger=_bundle(served.challenger) if served.challenger else None,
    )


def _bundle(model: Model) -> Json:
    manifest = model.manifest
    return {
        "version": manifest.version,
        "candidate": manifest.candidate,
        "created": manifest.created,
        "run_id": manifest.run_id,
        "metrics": dict(manifest.metrics),
        "target": dict(manifest.target),
        "interval": dict(manifest.interval),
        "fields": [one.to_json() for one in manifest.fields],
        "synthetic": model.synthetic,
        "hotspots_by_zone": model.by_zone,
        "n_hotspot_points": len(model.hotspots) if model.hotspots is not None else 0,
    }


@cache
def docs_page() -> tuple[bytes, str]:
    """Return the page at `/docs` and the content policy that allows only its own script and style."""
    page = files("cabstand.api").joinpath("docs.html").read_bytes()

    def digest(tag: bytes) -> str:
        found = re.search(b"<%s>(.*?)</%s>" % (tag, tag), page, re.DOTALL)
        return base64.b64encode(hashlib.sha256(found[1] if found else b"").digest()).decode()

    parts = (
        "default-src 'none'",
        "connect-src 'self'",
        f"script-src 'sha256-{digest(b'script')}'",
        f"style-src 'sha256-{digest(b'style')}'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return page, "; ".join(parts)
