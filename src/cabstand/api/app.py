"""The application factory: `create_app(settings)`, the same under uvicorn and in Lambda."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from cabstand import __version__
from cabstand.api import errors, openapi
from cabstand.api import service as services
from cabstand.api.guard import Guard, RequestLimits
from cabstand.api.routes import hotspots, predict, system
from cabstand.api.service import Service
from cabstand.settings import Settings

CORS_HEADERS = ["authorization", "content-type", "traceparent", "x-api-key", "x-routing-key"]


def create_app(settings: Settings) -> FastAPI:
    """Return the application; its models are loaded when its lifespan begins, or by `app.state.service.store.refresh`.

    Parameters
    ----------
    settings : Settings
        The settings in force.
    """
    service = services.build(settings)
    app = FastAPI(
        title="cabstand",
        version=__version__,
        description=openapi.DESCRIPTION,
        openapi_url=None,  # a route of ours, as is `/docs`, whose page loads nothing from elsewhere
        redirect_slashes=False,  # a redirect would be built from the Host header
        lifespan=_lifespan,
        exception_handlers=dict.fromkeys(errors.HANDLED, errors.handle),
    )
    app.state.service = service
    for routes in (predict, hotspots, system):
        routes.register(app, service)
    app.openapi = partial(openapi.document, app, service.store)  # type: ignore[method-assign]
    app.add_middleware(Guard, limits=_limits(settings), service=service)
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


def _limits(settings: Settings) -> RequestLimits:
    # In Lambda the gateway waits for slow clients and limits rates; a rate in memory would be one copy's alone.
    return RequestLimits(
        keys_required=settings.api_keys_required,
        max_body_bytes=settings.api_max_body_bytes,
        timeout_s=None if settings.on_lambda else settings.api_timeout_s,
        rate_per_s=0.0 if settings.on_lambda else settings.api_rate_per_s,
        burst=settings.api_burst,
    )
