"""The application factory: `create_app(settings)`, the same under uvicorn and in Lambda."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cabstand import __version__
from cabstand.api import call as calls
from cabstand.api import service as services
from cabstand.api.errors import ApiError, translate
from cabstand.api.front import front
from cabstand.api.routes import hotspots, system
from cabstand.api.service import Service
from cabstand.errors import CabstandError
from cabstand.settings import Settings


def create_app(settings: Settings, service: Service | None = None) -> Application:
    """Return the application; its models are loaded when its lifespan begins, or by whoever calls `store.refresh`.

    Parameters
    ----------
    settings : Settings
        What is in force.
    service : Service, optional
        The parts, made from the settings by default.
    """
    parts = service or services.build(settings)
    app = with_routes(parts)
    app.front = front(app.routed, settings, parts)
    return app


def with_routes(parts: Service) -> Application:
    """Return the application without its front: what answers all but predictions."""
    app = Application(
        title="cabstand",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,  # a redirect would be built from the Host header
        lifespan=_lifespan(parts),
    )
    app.state.service = parts
    app.include_router(system.router(parts))
    app.include_router(hotspots.router(parts))
    app.add_exception_handler(Exception, _answer)
    app.add_exception_handler(ApiError, _answer)
    app.add_exception_handler(CabstandError, _answer)
    app.add_exception_handler(HTTPException, _http)
    return app


class Application(FastAPI):
    """FastAPI's application behind a front of our own, which answers predictions itself.

    The front stands before FastAPI's middlewares, not among them: they cost each prediction as much as its model.
    """

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; the lifespan is FastAPI's."""
        await (self.front if scope["type"] == "http" else self.routed)(scope, receive, send)

    async def routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by FastAPI's routes."""
        await super().__call__(scope, receive, send)


def _lifespan(service: Service):  # type: ignore[no-untyped-def]
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        service.store.start()
        yield
        service.close()

    return lifespan


async def _answer(request: Request, error: Exception) -> Response:
    return translate(error).response(calls.of(request.scope).request_id)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: ("not-found", "no such address"), 405: ("method-not-allowed", "not with this method")}
    code, detail = words.get(status, ("error", "the request was refused"))
    headers = getattr(error, "headers", None)
    return ApiError(status, code, detail, headers=headers).response(calls.of(request.scope).request_id)
