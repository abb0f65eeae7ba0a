"""The application factory: `create_app(settings)`, the same under uvicorn and in Lambda."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import APIRoute

from cabstand import __version__
from cabstand.api import errors, openapi
from cabstand.api import service as services
from cabstand.api.guard import Guard, RequestLimits
from cabstand.api.routes import hotspots, predict, system
from cabstand.api.service import Service
from cabstand.settings import Settings

CORS_HEADERS = ["authorization", "content-type", "traceparent", "x-api-key", "x-routing-key"]


class PlainRoute(APIRoute):
    """A route whose function takes the request and returns the response, without FastAPI's solving of dependencies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function itself."""
        return self.endpoint


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its lifespan loads the models, as does `app.state.service.store.refresh`."""
    service = services.build(settings)
    app = FastAPI(
        title="cabstand",
        version=__version__,
        description=openapi.DESCRIPTION,
        openapi_url=None,  # a route of ours, as is `/docs`, whose page loads nothing from elsewhere
        redirect_slashes=False,  # a redirect would be built from the Host header
        lifespan=_lifespan,
        exception_handlers=dict.fromkeys(errors.HANDLED, errors.handle),
        telemetry={"tracing": False, "metrics": False, "logs": False},  # FastAPI's own; the guard records ours
    )
    app.state.service = service
    app.router.route_class = PlainRoute
    for routes in (predict, hotspots, system):
        routes.register(app, service)
    app.openapi = partial(openapi.document, app, service.store, service.root_path)  # type: ignore[method-assign]
    app.add_middleware(
        Guard,
        service=service,
        routes=dict.fromkeys(route.path for route in app.routes if isinstance(route, APIRoute)),
        limits=RequestLimits(
            keys_required=settings.api_keys_required,
            max_body_bytes=settings.api_max_body_bytes,
            # In Lambda the gateway waits for slow clients and limits rates; a rate in memory would be one copy's alone.
            timeout_s=None if settings.on_lambda else settings.api_timeout_s,
            rate_per_s=0.0 if settings.on_lambda else settings.api_rate_per_s,
            burst=settings.api_burst,
        ),
    )
    if origins := services.listed(settings.api_cors_origins):  # added last, it answers preflight requests without a key
        app.add_middleware(
            CORSMiddleware, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=CORS_HEADERS
        )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    service.store.start()
    yield
    service.close()
