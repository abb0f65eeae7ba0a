"""Say of each setting where its value comes from, and which variables set nothing."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, SecretStr

from cabstand.settings.fields import Settings
from cabstand.settings.names import PREFIX, closest, config_file

# Variables that are no settings: read by the tests, by scripts, and by the tracking server's own scripts.
OTHER_VARIABLES = (
    "CABSTAND_CONFIG", "CABSTAND_METRICS_NAMESPACE", "CABSTAND_PLAIN_PIP", "CABSTAND_ROOT", "CABSTAND_SHARED",
)  # fmt: skip


@dataclass(frozen=True)
class Effective:
    """The value of one setting and where it comes from."""

    name: str
    value: str
    source: str
    description: str


def explain(settings: Settings) -> list[Effective]:
    """Return each setting with its value, its source and its description; secrets are masked."""
    file = config_file()
    in_file = tomllib.loads(file.read_text()) if file.is_file() else {}
    return [
        Effective(name, _shown(getattr(settings, name)), _source(name, in_file), field.description or "")
        for name, field in type(settings).model_fields.items()
    ]


def environment_names(name: str) -> list[str]:
    """Return the environment variables that set `name`, in order of precedence."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [f"{PREFIX}{name.upper()}"]


def unknown_variables() -> list[str]:
    """Return one line for each environment variable that begins with `CABSTAND_` and sets nothing."""
    known = [name for setting in Settings.model_fields for name in environment_names(setting)]
    known = [name for name in (*known, *OTHER_VARIABLES) if name.startswith(PREFIX)]
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    return [f"{name} is not a setting and has no effect ({closest(name.upper(), known)})" for name in unknown]


def _source(name: str, in_file: dict[str, Any]) -> str:
    environment = {key.upper() for key in os.environ}
    for variable in environment_names(name):
        if variable.upper() in environment:
            return f"environment {variable}"
    return f"file {config_file()}" if name in in_file else "default"


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return "********" if value.get_secret_value() else ""
    return "" if value is None else str(value)
