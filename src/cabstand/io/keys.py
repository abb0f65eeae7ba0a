"""Stored API keys: names, hashes and dates, in a file or in Secrets Manager; never a key itself.

A key is `cab_<id>_<secret>`: the id names it, the secret is 32 random bytes. Only its SHA-256 is stored: a random key
of 256 bits cannot be guessed, so a slow hash would add no protection.
"""

from __future__ import annotations

import hashlib
import json
import secrets as entropy
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from cabstand.errors import ConfigError, ConflictError, DataError
from cabstand.io import secrets, storage
from cabstand.settings import Settings

SCHEMA_VERSION = 1
ATTEMPTS = 50
MARK = "cab"
SCOPES = ("predict", "metrics")


@dataclass(frozen=True)
class ApiKey:
    """What is stored of one key; times are ISO 8601 in UTC."""

    id: str
    name: str
    sha256: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None = None
    revoked_at: str | None = None

    def valid(self, now: datetime) -> bool:
        """Return whether the key may be used at `now`."""
        expired = self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now
        return self.revoked_at is None and not expired


def digest(key: str) -> str:
    """Return the hash that a key is stored and compared by."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def make(name: str, scopes: tuple[str, ...], now: datetime, expires_at: datetime | None = None) -> tuple[str, ApiKey]:
    """Return a new key, which is shown only once, and what to store of it."""
    if not name.strip() or len(name) > 64 or not name.isprintable():
        raise ConfigError("give the key a name of 1 to 64 printable characters")
    for scope in scopes:
        if scope not in SCOPES:
            raise ConfigError(f"unknown scope {scope}", hint=f"known: {', '.join(SCOPES)}")
    identity = entropy.token_hex(4)
    key = f"{MARK}_{identity}_{entropy.token_urlsafe(32)}"
    until = expires_at.astimezone(UTC).isoformat() if expires_at else None
    return key, ApiKey(identity, name, digest(key), scopes, now.astimezone(UTC).isoformat(), until)


def parse(text: str | bytes, where: str) -> list[ApiKey]:
    """Return the keys of a key file."""
    try:
        content = json.loads(text)
        if content["schema_version"] != SCHEMA_VERSION:
            raise DataError(
                f"key file has schema version {content['schema_version']}; this cabstand reads {SCHEMA_VERSION}",
                where=where,
            )
        return [_read(entry) for entry in content["keys"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:  # ValueError: bytes that are no text, too
        raise DataError("not a key file", where=where, hint="make one with `cabstand keys create`") from error


def dump(keys: list[ApiKey]) -> str:
    """Return the key file of `keys`."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "keys": [asdict(key) for key in keys]}, indent=1) + "\n"


def location(settings: Settings) -> str:
    """Return where the keys are stored: a secret's ARN or a file."""
    return settings.api_keys_secret or str(settings.home / "keys.json")


def load(settings: Settings) -> list[ApiKey]:
    """Return the stored keys; none where there is no file yet."""
    return _read_tagged(settings)[0]


def add(settings: Settings, key: ApiKey) -> None:
    """Store one more key."""
    _change(settings, lambda keys: [*keys, key])


def revoke(settings: Settings, name: str, now: datetime) -> list[str]:
    """Revoke the key of that id or name, and return its id; a ConfigError if there is none, or several of the name."""
    stored = load(settings)
    unrevoked = [key for key in stored if key.revoked_at is None]
    found = [key.id for key in unrevoked if key.id == name] or [key.id for key in unrevoked if key.name == name]
    if not found:
        known = ", ".join(sorted({key.name for key in stored})) or "none"
        raise ConfigError(f"no valid key is named {name}", where=location(settings), hint=f"known: {known}")
    if len(found) > 1:
        hint = f"give the id of one: {', '.join(found)}"
        raise ConfigError(f"{len(found)} keys are named {name}", where=location(settings), hint=hint)
    at = now.astimezone(UTC).isoformat()
    _change(settings, lambda keys: [replace(key, revoked_at=at) if key.id in found else key for key in keys])
    return found


def _change(settings: Settings, change: Any) -> None:
    where = location(settings)
    for attempt in range(ATTEMPTS):
        known, tag = _read_tagged(settings)
        text = dump(change(known))
        try:
            if settings.api_keys_secret:
                secrets.put_if(where, text, tag)
            else:
                storage.put_if(where, text.encode(), tag)
            return
        except ConflictError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(0.01 * entropy.randbelow(10))


def _read_tagged(settings: Settings) -> tuple[list[ApiKey], str | None]:
    """Return the keys, and the tag that a conditional write compares."""
    where = location(settings)
    found: tuple[str | bytes, str] | None
    if settings.api_keys_secret:
        found = secrets.read(where)
    elif storage.exists(where):
        found = storage.read_tagged(where)
    else:
        found = None
    return (parse(found[0], where), found[1]) if found else ([], None)


def _read(entry: dict[str, Any]) -> ApiKey:
    if not all(isinstance(entry[name], str) for name in ("id", "name", "sha256")) or isinstance(entry["scopes"], str):
        raise ValueError("not the entry of a key")
    key = ApiKey(**{**entry, "scopes": tuple(entry["scopes"])})
    for moment in (key.created_at, key.expires_at, key.revoked_at):
        if moment is not None and datetime.fromisoformat(moment).tzinfo is None:
            raise ValueError("timestamp without a time zone")
    return key
