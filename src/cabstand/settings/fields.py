"""The fields of Settings, each with its default and description."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from cabstand.settings.names import PREFIX, config_file

Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(lambda level: str(level).upper())]


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
        description="OpenTelemetry collector to send traces to; empty sends none.",
    )
    traceparent: str = Field(
        "",
        validation_alias=AliasChoices("TRACEPARENT"),
        description="W3C trace context that a command continues; set by the process that starts it.",
    )
    event_id: str = Field(
        "", description="Id of the event that started this command, whose trace begins with it; set by Terraform."
    )
    trace_file: str = Field("", description="File to which spans are appended as JSON lines; empty writes none.")
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

    # --- the monitor
    monitor_share: float = Field(0.5, gt=0, le=1, description="Share of drifted columns at which the data has drifted.")
    monitor_psi: float = Field(0.1, gt=0, description="PSI at which a column has drifted.")
    monitor_wasserstein: float = Field(
        0.1, gt=0, description="Normed Wasserstein distance at which a column has drifted."
    )
    monitor_jensen_shannon: float = Field(
        0.1, gt=0, description="Jensen-Shannon distance at which a column has drifted."
    )
    monitor_volume_change: float = Field(
        0.5, gt=0, lt=1, description="Relative loss of rows a day that counts as drift, as does the inverse gain."
    )
    monitor_min_rows: int = Field(5_000, ge=1, description="Minimum number of rows for a window to be decided on.")
    monitor_breaches: int = Field(1, ge=1, description="Windows in a row beyond a limit before the monitor acts.")
    monitor_cooldown_days: float = Field(7.0, ge=0, description="Minimum days between two retrainings.")
    monitor_error_rise: float = Field(
        0.1, ge=0, description="Relative rise of the mean absolute error over the holdout's that calls for retraining."
    )
    monitor_bias: float = Field(
        0.1, ge=0, description="Growth of the bias, as a share of the holdout's error, that calls for retraining."
    )
    monitor_coverage_loss: float = Field(
        0.01, ge=0, le=1, description="Loss of interval coverage against the holdout's that calls for retraining."
    )
    monitor_use_estimate: bool = Field(
        False, description="Whether the estimated error may call for retraining while the truth is not known yet."
    )
    monitor_event_bus: str = Field(
        "", description="EventBridge bus that a request for retraining is sent to; empty sends none."
    )

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
