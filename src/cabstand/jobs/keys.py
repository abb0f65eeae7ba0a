"""API keys: make one, list them, revoke one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cabstand.errors import ConfigError
from cabstand.io import keys
from cabstand.settings import Settings

MOST_DAYS = 3_650


@dataclass(frozen=True)
class Params:
    """What to do.

    Attributes
    ----------
    action : {"create", "list", "revoke"}
        Which of the three.
    name : str
        Of the key to make or, name or id, to revoke.
    scopes : tuple of str
        What a new key may do.
    expires_days : int or None
        Life of a new key; None is no end.
    """

    action: Literal["create", "list", "revoke"]
    name: str = ""
    scopes: tuple[str, ...] = keys.SCOPES
    expires_days: int | None = None


def run(settings: Settings, params: Params) -> dict[str, Any]:
    """Do it; a new key is in the result, and nowhere else ever again."""
    now = datetime.now(UTC)
    if params.action == "list":
        return {"keys": [_public(key, now) for key in keys.load(settings)], "kept_at": keys.place(settings)}
    if params.action == "revoke":
        return {"revoked": keys.revoke(settings, params.name, now), "in_force_within_s": settings.api_keys_refresh_s}
    if params.expires_days is not None and not 1 <= params.expires_days <= MOST_DAYS:
        raise ConfigError(f"a key lives 1 to {MOST_DAYS} days", where="--expires-days")
    until = now + timedelta(days=params.expires_days) if params.expires_days else None
    plain, key = keys.make(params.name, params.scopes, now, until)
    keys.add(settings, key)
    return {"key": plain, **_public(key, now), "kept_at": keys.place(settings)}


def _public(key: keys.ApiKey, now: datetime) -> dict[str, Any]:
    told = asdict(key) | {"valid": key.valid(now)}
    del told["sha256"]
    return told
