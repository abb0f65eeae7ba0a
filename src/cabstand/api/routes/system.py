"""What the service says of itself: `/`, `/healthz`, `/readyz`, `/metrics`, `/v1/models`, `/docs`, `/openapi.json`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic_core import to_json
from starlette.responses import Response

from cabstand import __version__
from cabstand.api import openapi
from cabstand.api.guard import POLICY
from cabstand.api.model import Model
from cabstand.api.service import Service
from cabstand.api.store import Served


def router(service: Service) -> APIRouter:
    """Return the routes about the service itself."""
    routes = APIRouter()
    store = service.store

    @routes.get("/", tags=["service"], summary="Name, version and links", responses=openapi.answer("Root"))
    async def root() -> Response:
        links = {"docs": "/docs", "openapi": "/openapi.json", "models": "/v1/models", "ready": "/readyz"}
        return json_response({"name": "cabstand", "version": __version__, "links": links})

    @routes.get("/healthz", tags=["service"], summary="Alive", responses=openapi.answer("Health"))
    async def healthz() -> Response:
        return json_response({"status": "alive"})

    @routes.get("/readyz", tags=["service"], summary="Ready to answer", responses=openapi.answer("Ready", 503))
    async def readyz() -> Response:
        store.require_ready()
        versions = {name: one.champion.version for name, one in store.served.items()}
        return json_response({"status": "ready", "versions": versions})

    @routes.get("/metrics", tags=["service"], summary="Figures for Prometheus", **openapi.text_answer())
    async def metrics() -> Response:
        return Response(service.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/v1/models", tags=["models"], summary="What serves", responses=openapi.answer("Models"))
    async def models() -> Response:
        return json_response({"models": [_describe(one) for _, one in sorted(store.served.items())]})

    @routes.get("/openapi.json", include_in_schema=False)
    async def schema() -> Response:
        return json_response(openapi.document(routes.routes, store.served))

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        page, policy = openapi.docs_page()
        return Response(page, media_type="text/html", headers={POLICY[0].decode(): policy})

    return routes


def json_response(content: Any, media_type: str = "application/json") -> Response:
    """Return `content` as JSON, null for what is not finite."""
    return Response(to_json(content, inf_nan_mode="null"), media_type=media_type)


def _describe(served: Served) -> dict[str, Any]:
    pointer = served.pointer
    return {
        "problem": served.problem.name,
        "description": served.problem.description,
        "sequence": pointer.sequence,
        "share": pointer.share,
        "champion": _bundle(served.champion),
        "challenger": _bundle(served.challenger) if served.challenger else None,
    }


def _bundle(model: Model) -> dict[str, Any]:
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
        "n_hotspot_points": len(model.hotspots) if model.hotspots is not None else 0,
    }
