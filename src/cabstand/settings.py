"""Settings, each with its default and description.

A value comes from the command line, else from the environment variable `CABSTAND_<NAME>`, else from the TOML file that
`CABSTAND_CONFIG` names (`cabstand.toml` in the working directory by default), else from the default here.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cabstand.errors import ConfigError

PREFIX = "CABSTAND_"

# Variables that are no settings: read by the tests, by scripts, and by the tracking server's own scripts.
OTHER_VARIABLES = (
    "CABSTAND_CONFIG", "CABSTAND_METRICS_NAMESPACE", "CABSTAND_PLAIN_PIP", "CABSTAND_ROOT", "CABSTAND_SHARED",
)  # fmt: skip

Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda level: str(level).upper())]


def config_file() -> Path:
    """Return the path of the TOML file with settings, which need not exist."""
    return Path(os.environ.get(f"{PREFIX}CONFIG", "cabstand.toml"))


class Settings(BaseSettings):
    """All settings; `cabstand config show` prints the values in force and their sources."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", populate_by_name=True)

    # --- storage
    home: Path = Field(
        Path(".cabstand"), description="Folder for local data: lake, artifacts, MLflow, reports, caches."
    )
    lake: str = Field("", description="URI or path of the data lake; empty means `<home>/lake`.")
    artifacts: str = Field("", description="URI or path of model bundles and pointers; empty means `<home>/artifacts`.")
    site: str = Field("", description="URI or path of the results site; empty publishes no page.")
    mlflow_tracking_uri: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("CABSTAND_MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_URI"),
        description="MLflow tracking server; credentials are masked. Empty means SQLite in `<home>`.",
    )
    mlflow_experiment: str = Field("cabstand", min_length=1, description="MLflow experiment name.")

    # --- trips
    tlc_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/trip-data", description="Base URL of the TLC's monthly trip records."
    )
    zones_url: str = Field(
        "https://d37ci6vzurychx.cloudfront.net/misc", description="Base URL of the TLC's zone shapes and lookup table."
    )
    uber_url: str = Field(
        "https://raw.githubusercontent.com/fivethirtyeight/uber-tlc-foil-response/master/uber-trip-data",
        description="Base URL of the 2014 Uber pickups.",
    )
    download_attempts: int = Field(6, ge=1, le=50, description="Download attempts per file.")
    download_timeout_s: float = Field(
        30.0, gt=0, allow_inf_nan=False, description="Seconds without data before a download attempt fails."
    )
    ingest_max_rows: int = Field(200_000_000, ge=1, description="Maximum number of rows in one input file.")

    # --- service
    api_problems: str = Field(
        "", description="Problems to serve: names or files, comma-separated; empty means every published one."
    )
    api_refresh_s: float = Field(60.0, ge=1, description="Minimum seconds between checks for a new pointer.")
    api_bundle_memory_mib: int = Field(192, ge=32, description="MiB of memory that a bundle may take to be proved.")
    api_root_path: str = Field("", pattern="^(/[A-Za-z0-9._~-]+)*$", description="Path prefix that a proxy adds.")
    api_key: SecretStr = Field(SecretStr(""), description="API key that `cabstand predict` sends.")
    api_keys_required: bool = Field(True, description="Whether the service requires an API key.")
    api_keys_secret: str = Field(
        "", description="Secrets Manager ARN of the API key hashes; empty means `<home>/keys.json`."
    )
    api_keys_refresh_s: float = Field(
        30.0, ge=1, le=60, description="Seconds for which a revoked API key may still be accepted."
    )
    api_rate_per_s: float = Field(0.0, ge=0, description="Requests per second allowed for each key; 0 means unlimited.")
    api_burst: int = Field(100, ge=1, description="Requests a key may make in a burst before the rate limit applies.")
    api_cors_origins: str = Field("", description="Allowed CORS origins, comma-separated; empty means none.")
    api_max_body_bytes: int = Field(1_048_576, ge=1_024, description="Maximum size of a request body, in bytes.")
    api_timeout_s: float = Field(10.0, gt=0, description="Seconds a client has to send its request.")
    prediction_log: Literal["auto", "local", "stdout", "off"] = Field(
        "auto", description="Where predictions are logged; auto means stdout in Lambda, local elsewhere."
    )
    prediction_retention_days: int = Field(90, ge=1, description="Days to keep the local prediction log.")
    otlp_endpoint: str = Field(
        "",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="OpenTelemetry collector to send traces to; empty disables tracing.",
    )
    lambda_function: str = Field(
        "", validation_alias=AliasChoices("AWS_LAMBDA_FUNCTION_NAME"), description="Set by AWS Lambda itself."
    )

    # --- comparison of engines
    score_weight_wall: float = Field(0.5, ge=0, description="Weight of wall time in an engine's combined score.")
    score_weight_cpu: float = Field(0.25, ge=0, description="Weight of CPU time in an engine's combined score.")
    score_weight_memory: float = Field(0.25, ge=0, description="Weight of peak memory in an engine's combined score.")
    compare_memory_gib: float = Field(
        0.0, ge=0, description="Memory limit per compared engine, in GiB; 0 means 80 % of free memory."
    )

    # --- Dask
    dask_scheduler: str = Field(
        "",
        validation_alias=AliasChoices("CABSTAND_DASK_SCHEDULER", "DASK_SCHEDULER_ADDRESS"),
        description="Dask scheduler for `--engine dask`; empty starts local workers, `ecs` starts worker tasks.",
    )
    dask_tls: str = Field("", description="URI of the workers' TLS certificates; set by the run that starts them.")
    dask_scratch: str = Field(
        "",
        description="URI for temporary files of `--engine dask`; default: `<home>/cache/dask`, in S3 `<lake>/scratch`.",
    )

    # --- the gate
    gate_min_gain: float = Field(0.005, ge=0, le=1, description="Minimum relative gain for a challenger to pass.")
    gate_confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence that no worse challenger passes.")
    gate_max_segment_loss: float = Field(0.1, ge=0, description="Maximum relative loss allowed in any segment.")
    gate_min_segment_rows: int = Field(200, ge=1, description="Minimum number of held-out rows for a segment to count.")
    gate_resamples: int = Field(2_000, ge=100, le=100_000, description="Least number of random draws of each test.")

    # --- worker tasks on ECS
    ecs_cluster: str = Field("", description="ECS cluster in which a distributed run starts its workers.")
    ecs_worker_definition: str = Field("", description="ECS task definition of a worker.")
    ecs_subnets: str = Field("", description="Subnets of worker tasks, comma-separated.")
    ecs_security_group: str = Field("", description="Security group of worker tasks; it must allow traffic among them.")
    ecs_public_address: bool = Field(True, description="Whether worker tasks get a public IP address.")
    ecs_spot: bool = Field(False, description="Whether worker tasks run on Fargate Spot.")
    task_lifetime_s: int = Field(7200, ge=60, description="Maximum lifetime of a worker task, in seconds.")

    # --- logging
    log_level: Level = Field("INFO", description="Minimum level to log.")
    log_json: bool | None = Field(None, description="Log as JSON lines; if unset, only when stderr is not a terminal.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give arguments precedence over the environment, and the environment over the TOML file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())

    @property
    def lake_uri(self) -> str:
        """URI or path of the lake in force."""
        return self.lake.rstrip("/") or str(self.home / "lake")

    @property
    def artifacts_uri(self) -> str:
        """URI or path of the model bundles and pointers in force."""
        return self.artifacts.rstrip("/") or str(self.home / "artifacts")

    @property
    def on_lambda(self) -> bool:
        """Whether this process runs in AWS Lambda."""
        return bool(self.lambda_function)

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI in force, including credentials."""
        return self.mlflow_tracking_uri.get_secret_value() or f"sqlite:///{(self.home / 'mlflow.db').resolve()}"


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
            hint = _closest(name, list(Settings.model_fields))
            raise ConfigError("not a setting", where=f"{name} in {config_file()}", hint=hint) from error
        variable = f"{PREFIX}{name.upper().removeprefix(PREFIX)}"
        place = variable if variable in os.environ else f"{variable}, or {name} in {config_file()}"
        raise ConfigError(first["msg"].lower(), where=f"setting {name}", hint=f"correct {place}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not valid TOML: {error}", where=config_file()) from error


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
    return [f"{name} is not a setting and has no effect ({_closest(name.upper(), known)})" for name in unknown]


def _closest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"did you mean {near[0]}?" if near else "see `cabstand config show`"


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
