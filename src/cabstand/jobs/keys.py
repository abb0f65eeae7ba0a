"""Create, list and revoke API keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cabstand.errors import ConfigError
from cabstand.io import keys
from cabstand.settings import Settings

MAX_DAYS = 3_650


@dataclass(frozen=True)
class Params:
    """What to do with the key of a name (to revoke one, its id will do)."""

    action: Literal["create", "list", "revoke"]
    name: str = ""
    scopes: tuple[str, ...] = keys.SCOPES
    expires_days: int | None = None  # None is never


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Create, list or revoke keys; the result is the only place where a new key is ever shown."""
    now = datetime.now(UTC)
    if params.action == "list":
        return {"keys": [_public(key, now) for key in keys.load(settings)], "kept_at": keys.location(settings)}
    if params.action == "revoke":
        return {"revoked": keys.revoke(settings, params.name, now), "in_force_within_s": settings.api_keys_refresh_s}
    if params.expires_days is not None and not 1 <= params.expires_days <= MAX_DAYS:
        raise ConfigError(f"must be 1 to {MAX_DAYS} days", where="--expires-days")
    until = now + timedelta(days=params.expires_days) if params.expires_days else None
    plain, key = keys.make(params.name, params.scopes, now, until)
    keys.add(settings, key)
    return {"key": plain, **_public(key, now), "kept_at": keys.location(settings)}


def _public(key: keys.ApiKey, now: datetime) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "sha256"} | {"valid": key.valid(now)}
