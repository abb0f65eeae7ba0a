"""How boto3, Terraform and the command line reach the emulator and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

REGION = "us-east-1"
# The emulator's root user, who may do everything.
ROOT_KEYS = {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}  # pragma: allowlist secret


def client(url: str, service: str, keys: Mapping[str, str] = ROOT_KEYS) -> Any:
    """Return a boto3 client of the emulator, by default its root user's."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=keys.get("AWS_SESSION_TOKEN"),
        config=Config(retries={"max_attempts": 1}),
    )


def environment(url: str) -> dict[str, str]:
    """Return this process's environment with the emulator's address and root key, and nothing about another account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CABSTAND_", "TF_VAR"))}
    kept.pop("TF_DATA_DIR", None)
    return kept | {
        "AWS_ENDPOINT_URL": url,
        **ROOT_KEYS,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # For the bootstrap's roles: a repository that is asked nothing.
        "GITHUB_REPOSITORY": "example/cabstand",
        "GITHUB_REPOSITORY_ID": "789",
        "GITHUB_REPOSITORY_OWNER_ID": "456",
        "TF_IN_AUTOMATION": "1",
        "TF_CLI_ARGS": "-no-color",
        "TF_CLI_ARGS_apply": "-parallelism=30",
        "TF_CLI_ARGS_destroy": "-parallelism=30",
    }
