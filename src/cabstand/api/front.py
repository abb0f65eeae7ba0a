"""What stands before FastAPI: the guard, and the predictions, which are answered without it."""

from __future__ import annotations

from starlette.types import ASGIApp

from cabstand.api import service as services
from cabstand.api.guard import Guard, Rules
from cabstand.api.limits import RateLimit
from cabstand.api.routes.predict import Predictions
from cabstand.api.service import Service
from cabstand.settings import Settings


def front(routed: ASGIApp, settings: Settings, service: Service) -> ASGIApp:
    """Return the whole application: predictions, and `routed` for every other address, behind the guard."""
    # In front of Lambda the gateway waits for slow clients: a body is there or not.
    timeout_s = None if settings.on_lambda else settings.api_timeout_s
    rules = Rules(settings.api_keys_required, settings.api_max_body_bytes, timeout_s)
    # API Gateway throttles in front of Lambda, where a bucket in memory would count one copy's share alone.
    limit = RateLimit(0.0 if settings.on_lambda else settings.api_rate_per_s, settings.api_burst)
    guarded: ASGIApp = Guard(Predictions(routed, service=service), rules=rules, limit=limit, service=service)
    if origins := services.listed(settings.api_cors_origins):
        from starlette.middleware.cors import CORSMiddleware

        allowed = ["authorization", "content-type", "traceparent", "x-api-key", "x-routing-key"]
        guarded = CORSMiddleware(guarded, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=allowed)
    return guarded
