"""Load the settings from their sources; a wrong one is an error of one line."""

from __future__ import annotations

import os
import tomllib
from typing import Any

from pydantic import ValidationError

from cabstand.errors import ConfigError
from cabstand.settings.fields import Settings
from cabstand.settings.names import PREFIX, closest, config_file


def load(**overrides: Any) -> Settings:
    """Return the settings in force; an override of `None` counts as not given."""
    given = {name: value for name, value in overrides.items() if value is not None}
    if f"{PREFIX}CONFIG" in os.environ and not config_file().is_file():
        raise ConfigError("no such file", where=f"{PREFIX}CONFIG={config_file()}", hint="correct or unset it")
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        if first["type"] == "extra_forbidden":  # only in the file: other variables are warned of
            hint = closest(name, list(Settings.model_fields))
            raise ConfigError("not a setting", where=f"{name} in {config_file()}", hint=hint) from error
        variable = f"{PREFIX}{name.upper().removeprefix(PREFIX)}"
        place = variable if variable in os.environ else f"{variable}, or {name} in {config_file()}"
        raise ConfigError(first["msg"].lower(), where=f"setting {name}", hint=f"correct {place}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=config_file()) from error
