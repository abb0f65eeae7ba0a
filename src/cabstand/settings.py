"""The settings, and the only reader of the environment.

A value comes from the command line, else `CABSTAND_<NAME>`, else the TOML file that `CABSTAND_CONFIG` names
(`cabstand.toml` in the working directory by default), else the default here.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cabstand.errors import ConfigError

PREFIX = "CABSTAND_"


def config_file() -> Path:
    """Return the TOML file that settings are read from; it need not exist."""
    return Path(os.environ.get(f"{PREFIX}CONFIG", "cabstand.toml"))


class Settings(BaseSettings):
    """Everything that can be set; see `cabstand config show` for the values in force and where each comes from."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    # --- places
    home: Path = Field(Path(".cabstand"), description="Folder for whatever is kept on this machine by default.")
    lake: str = Field("", description="URI or path of the data lake; empty is `<home>/lake`.")
    artifacts: str = Field("", description="URI or path of serving bundles and pointers; empty is `<home>/artifacts`.")
    mlflow_tracking_uri: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("CABSTAND_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="MLflow server, credentials in it masked when shown; empty is SQLite under `<home>`.",
    )
    mlflow_experiment: str = Field("cabstand", min_length=1, description="Name of the MLflow experiment.")

    # --- trips
    tlc_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/trip-data", description="Folder of the TLC's monthly trip records."
    )
    zones_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/misc", description="Folder of the TLC's zone shapes and lookup table."
    )
    uber_url: str = Field(
        "https://raw.githubusercontent.com/fivethirtyeight/uber-tlc-foil-response/master/uber-trip-data",
        description="Folder of the Uber pickups of 2014.",
    )
    download_attempts: int = Field(6, ge=1, le=50, description="Requests for one file before giving up.")
    download_timeout_s: float = Field(30.0, gt=0, allow_inf_nan=False, description="Longest silence of a server.")
    ingest_max_rows: int = Field(200_000_000, ge=1, description="Most rows taken from one file.")

    # --- service
    api_problems: str = Field(
        "", description="Problems served, names or files, comma separated; empty is every one published."
    )
    api_refresh_s: float = Field(60.0, ge=1, description="Least seconds between two looks at the pointers.")
    api_key: SecretStr = Field(SecretStr(""), description="API key that `cabstand predict` sends.")
    api_keys_required: bool = Field(True, description="Whether the service wants an API key.")
    api_keys_secret: str = Field("", description="Secrets Manager ARN of the key hashes; empty is `<home>/keys.json`.")
    api_keys_refresh_s: float = Field(30.0, ge=1, le=60, description="Seconds a revoked API key may still be answered.")
    api_rate_per_s: float = Field(0.0, ge=0, description="Requests a second allowed to each key; 0 is unlimited.")
    api_burst: int = Field(100, ge=1, description="Requests a key may make at once before the rate holds it.")
    api_cors_origins: str = Field(
        "", description="Origins that browsers may call from, comma separated; empty is none."
    )
    api_max_body_bytes: int = Field(1_048_576, ge=1_024, description="Largest request body.")
    api_timeout_s: float = Field(10.0, gt=0, description="Seconds a client has to send its request.")
    prediction_log: str = Field(
        "auto",
        pattern="^(auto|local|stdout|off)$",
        description="Where predictions are logged; auto is stdout in Lambda.",
    )
    prediction_retention_days: int = Field(90, ge=1, description="Days the local prediction log is kept.")
    otlp_endpoint: str = Field(
        "",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OpenTelemetry collector that traces go to; empty is no tracing.",
    )
    lambda_function: str = Field(
        "", validation_alias=AliasChoices("AWS_LAMBDA_FUNCTION_NAME"), description="Set by AWS Lambda; not by people."
    )

    # --- comparison of engines
    score_weight_wall: float = Field(0.5, ge=0, description="Weight of wall time in the combined score of an engine.")
    score_weight_cpu: float = Field(0.25, ge=0, description="Weight of CPU time in the combined score of an engine.")
    score_weight_memory: float = Field(0.25, ge=0, description="Weight of peak memory in the combined score.")
    compare_memory_gib: float = Field(
        0.0, ge=0, description="Memory a compared engine may take, in GiB; 0 is 80 % of what is free."
    )

    # --- Dask
    dask_scheduler: str = Field(
        "",
        validation_alias=AliasChoices("CABSTAND_DASK_SCHEDULER", "DASK_SCHEDULER_ADDRESS"),
        description="Address of a Dask scheduler for `--engine dask`; empty starts workers here, `ecs` as tasks.",
    )
    dask_tls: str = Field("", description="URI of the certificates of a run's own workers; the run sets it for them.")
    dask_scratch: str = Field(
        "", description="URI of work files of `--engine dask`, reached by all workers; empty is `<home>/cache/dask`."
    )

    # --- the gate
    gate_min_gain: float = Field(0.005, ge=0, le=1, description="Least relative gain that lets a challenger pass.")
    gate_confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence that the gain is above zero.")
    gate_max_segment_loss: float = Field(0.1, ge=0, description="Largest relative loss allowed in any one segment.")
    gate_min_segment_rows: int = Field(200, ge=1, description="Fewest held-out rows for a segment to count.")
    gate_resamples: int = Field(2_000, ge=100, le=100_000, description="Bootstrap resamples of the gate.")

    # --- tasks of distributed runs
    ecs_cluster: str = Field("", description="ECS cluster in which a distributed run starts its workers.")
    ecs_worker_definition: str = Field("", description="ECS task definition of a worker.")
    ecs_subnets: str = Field("", description="Subnets of worker tasks, with commas between them.")
    ecs_security_group: str = Field("", description="Security group of worker tasks: they reach each other by it.")
    ecs_public_address: bool = Field(True, description="Whether worker tasks get a public address.")
    ecs_spot: bool = Field(False, description="Whether worker tasks run on spare capacity.")
    task_lifetime_s: int = Field(7200, ge=60, description="Seconds after which a worker task ends, whatever happens.")

    # --- logging
    log_level: str = Field("INFO", pattern="(?i)^(debug|info|warning|error)$", description="Lowest level logged.")
    log_json: bool | None = Field(None, description="Log JSON lines; unset means when stderr is not a terminal.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, then the environment, then the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())

    @property
    def lake_uri(self) -> str:
        """The lake that is in force."""
        return self.lake.rstrip("/") or str(self.home / "lake")

    @property
    def artifacts_uri(self) -> str:
        """The store of bundles and pointers that is in force."""
        return self.artifacts.rstrip("/") or str(self.home / "artifacts")

    @property
    def on_lambda(self) -> bool:
        """Whether this process is a Lambda function, frozen between two requests."""
        return bool(self.lambda_function)

    @property
    def tracking_uri(self) -> str:
        """The MLflow store that is in force, credentials included."""
        return self.mlflow_tracking_uri.get_secret_value() or f"sqlite:///{(self.home / 'mlflow.db').resolve()}"


def load(**overrides: Any) -> Settings:
    """Return the settings in force; `None` among the overrides means not given.

    Raises
    ------
    ConfigError
        If a value is not valid, or the TOML file names an unknown setting or cannot be read.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise ConfigError(
            f"{first['msg'].lower()}", where=f"setting {name}", hint="see `cabstand config show`"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=config_file()) from error


@dataclass(frozen=True)
class Effective:
    """One setting as it is in force."""

    name: str
    value: str
    source: str
    description: str


def explain(settings: Settings) -> list[Effective]:
    """Return each setting with its value (secrets masked) and the place it came from."""
    in_file = _read_file()
    return [
        Effective(name, _shown(getattr(settings, name)), _source(name, in_file), field.description or "")
        for name, field in type(settings).model_fields.items()
    ]


def environment_names(name: str) -> list[str]:
    """Return the environment variables that set `name`, the strongest first."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [str(choice) for choice in alias.choices]
    return [f"{PREFIX}{name.upper()}"]


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


@cache
def _parse(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text()) if path.is_file() else {}


def _read_file() -> dict[str, Any]:
    return _parse(config_file().absolute())
